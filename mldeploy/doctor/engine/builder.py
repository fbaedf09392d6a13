"""What can build images: the engine's classic builder always, BuildKit where the docker command can drive it."""

from __future__ import annotations

import re
import shutil

from mldeploy.doctor.command import output
from mldeploy.doctor.engine.facts import Facts, Kind
from mldeploy.providers.checks import Finding, ok

_CLIENT_WITH_BUILDKIT = range(18, 23)
"""Major versions of the docker command that hold BuildKit's client themselves; later ones leave it to buildx."""


def builder(facts: Facts) -> Finding:
    """Say which builders there are. None of them is missed: the classic one is part of every engine."""
    classic = "the engine's classic builder"
    if facts.kind is Kind.PODMAN:
        return ok("builder", "Podman's own")
    if buildx := re.search(r"v?\d+\.\d+\S*", output("docker", "buildx", "version")):
        return ok("builder", f"{classic}, and BuildKit through docker buildx {buildx[0]}")
    client = re.search(r"version (\d+)\.", output("docker", "--version"))
    if client and int(client[1]) in _CLIENT_WITH_BUILDKIT:
        return ok("builder", f"{classic}, and BuildKit through the docker command")
    why = "the docker command has no buildx plugin" if shutil.which("docker") else "there is no docker command"
    return ok("builder", f"{classic}; no BuildKit, since {why}")
