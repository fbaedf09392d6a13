"""Secrets in an image."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.check.contents import Layers
from mldeploy.check.trial import CheckContainers
from mldeploy.core.findings import Finding, error, ok, warning
from mldeploy.image.errors import engine_errors
from mldeploy.project.detect.secrets import SecretSuspect, find_kinds, list_suspects, names_secret

SHOWN = 5


def check_secrets(trial: CheckContainers, image: str, layers: Layers) -> Iterator[Finding]:
    """Yield findings about secrets in the files, the environment and the history. image: its id.

    Raises EngineError.
    """
    files = list(dict.fromkeys(each for part in layers.parts or (layers,) for each in list_suspects(part)))
    for name, grave in (("secrets", True), ("suspicious files", False)):
        some = [each for each in files if each.certain is grave]
        if some:
            yield _of_files(name, some, grave=grave)
    others = [*_of_environment(trial, image), *_of_history(trial, image)]
    yield from others
    if not files and not others:
        yield ok("secrets", f"none in the app's {len(layers.files)} files, the environment and the history")


def _of_files(name: str, files: list[SecretSuspect], *, grave: bool) -> Finding:
    lines = [f"{each.source} {each.what}" for each in files[:SHOWN]]
    lines += [f"and {len(files) - SHOWN} more"] if len(files) > SHOWN else []
    todo = "Keep it out with .dockerignore, and give its values with `env_file` in [app]; revoke what was published."
    return (error if grave else warning)(name, "\n".join(lines), todo)


def _of_environment(trial: CheckContainers, image: str) -> Iterator[Finding]:
    with engine_errors(trial.reference):
        variables = trial.engine.client.inspect_image(image)["Config"].get("Env") or ()
    names = [name for name, _, value in (each.partition("=") for each in variables) if value and names_secret(name)]
    if names:
        what = f"the image sets {', '.join(names)}, and everyone with the image can read them"
        yield warning("environment", what, "Give it when the container starts: `env_file` in [app].")


def _of_history(trial: CheckContainers, image: str) -> Iterator[Finding]:
    with engine_errors(trial.reference):
        history = trial.engine.client.history(image)
    text = "\n".join(str(entry["CreatedBy"]) for entry in history).encode()
    for kind, _ in find_kinds(text):
        todo = "Take it out of the Dockerfile and of `[build.args]`, and revoke it."
        yield error("history", f"a command of the build holds {kind}, and everyone with the image can read it", todo)
