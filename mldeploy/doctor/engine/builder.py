"""What can build images: the engine's classic builder always, BuildKit where the docker command can drive it."""

from __future__ import annotations

from mldeploy.doctor.engine.facts import Facts, Kind
from mldeploy.image.builder import REMEDY, buildx, client, missing
from mldeploy.providers.checks import Finding, Level, ok

SUBJECT = "builder"


def builder(facts: Facts, wanted: str) -> Finding:
    """Say which builders there are. wanted: `build.builder`."""
    if facts.kind is Kind.PODMAN:
        return ok(SUBJECT, "Podman's own")
    classic = "the engine's classic builder"
    found = client()
    if found is None:
        level = Level.ERROR if wanted == "buildkit" else Level.WARNING
        todo = f"{REMEDY}: it keeps what a build has downloaded, and sends less."
        return Finding(SUBJECT, level, f"{classic}; no BuildKit, since {missing()}", todo)
    through = f"docker buildx {buildx(found.program)}" if found.buildx else found.program
    chosen = f" (build.builder: {wanted})" if wanted != "auto" else ""
    return ok(SUBJECT, f"BuildKit through {through}, and {classic}{chosen}")
