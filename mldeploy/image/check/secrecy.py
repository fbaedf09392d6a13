"""Whether an image holds something that nobody who pulls it should have."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.core.findings import Finding, error, ok, warning
from mldeploy.image.check.contents import Layers
from mldeploy.image.check.trial import Trial
from mldeploy.image.errors import engine_errors
from mldeploy.project.detect.secrets import Suspect, kinds_in, names_secret, suspects

SHOWN = 5


def secrets(trial: Trial, image: str, layers: Layers) -> Iterator[Finding]:
    """The lines about secrets: in the layers' files, in the environment, in the history. image: its id.

    Raises EngineError.
    """
    found = list(dict.fromkeys(each for part in layers.parts or (layers,) for each in suspects(part)))
    for name, grave in (("secrets", True), ("suspicious files", False)):
        some = [each for each in found if each.certain is grave]
        if some:
            yield _of_files(name, some, grave=grave)
    told = [*_of_environment(trial, image), *_of_history(trial, image)]
    yield from told
    if not found and not told:
        yield ok("secrets", f"none in the app's {len(layers.files)} files, the environment and the history")


def _of_files(name: str, found: list[Suspect], *, grave: bool) -> Finding:
    lines = [f"{each.source} {each.what}" for each in found[:SHOWN]]
    lines += [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    todo = "Keep it out with .dockerignore, and give its values with `env_file` in [app]; revoke what was published."
    return (error if grave else warning)(name, "\n".join(lines), todo)


def _of_environment(trial: Trial, image: str) -> Iterator[Finding]:
    with engine_errors(trial.reference):
        variables = trial.engine.client.inspect_image(image)["Config"].get("Env") or ()
    names = [name for name, _, value in (each.partition("=") for each in variables) if value and names_secret(name)]
    if names:
        what = f"the image sets {', '.join(names)}, and whoever has it can read that"
        yield warning("environment", what, "Give it when the container starts: `env_file` in [app].")


def _of_history(trial: Trial, image: str) -> Iterator[Finding]:
    with engine_errors(trial.reference):
        history = trial.engine.client.history(image)
    text = "\n".join(str(entry["CreatedBy"]) for entry in history).encode()
    for kind, _ in kinds_in(text):
        todo = "Take it out of the Dockerfile and of `[build.args]`, and revoke it."
        yield error("history", f"a command of the build holds {kind}, and whoever has the image can read it", todo)
