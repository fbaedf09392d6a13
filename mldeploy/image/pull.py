"""Getting a base image from its registry."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from docker import APIClient, auth
from docker.errors import APIError, DockerException
from docker.utils import parse_repository_tag

from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError, disk_full, engine_errors, explanation, is_disk_full
from mldeploy.image.stream import Event, follow

SETTING = "build.base_image"


def pull(engine: Engine, reference: str, platform: str, monitor: Monitor) -> None:
    """Pull an image, telling each layer's bytes.

    Raises BuildError, which names the setting; EngineError; CancelledError after a stop.
    """
    repository, tag = parse_repository_tag(reference)
    login = credentials(repository, monitor)

    def start(client: APIClient) -> Iterable[dict[str, object]]:
        lines: Iterable[dict[str, object]] = client.pull(
            repository, tag or "latest", stream=True, decode=True, platform=platform, auth_config=login
        )
        return lines

    with engine_errors(reference):
        client = engine.another_client()
        try:
            for event in follow(client, start, monitor):
                if event.error:
                    raise _failure(reference, event.error)
                if event.layer and event.status:
                    monitor.progress(progress(event))
        except APIError as error:
            raise _failure(reference, explanation(error)) from error


def credentials(repository: str, monitor: Monitor) -> dict[str, str]:
    """What the Docker config knows of this registry; nothing if its credential helper fails, since most are public."""
    try:
        registry, _ = auth.resolve_repository_name(repository)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a helper that is not installed is told below, and once
            return dict(auth.load_config().resolve_authconfig(registry) or {})
    except DockerException as error:
        monitor.note(f"Asking for {repository} without credentials: {explanation(error)}", warning=True)
        return {}


def progress(event: Event) -> Progress:
    """How far a layer is."""
    return Progress(event.layer, event.status, event.done, event.total, in_bytes=bool(event.total))


_ABSENT = ("not found", "manifest unknown", "does not exist", "no matching manifest", "invalid reference")
_FORBIDDEN = ("denied", "unauthorized", "authentication required", "no basic auth")


def _failure(reference: str, said: str) -> MldeployError:
    words = said.lower()
    if is_disk_full(words):
        return disk_full(reference)
    if any(word in words for word in _FORBIDDEN):
        what = "the registry does not let you pull it, or it does not exist"
        return BuildError(reference, what, f"Log in with `docker login`, or choose another one: {SETTING}.")
    if any(word in words for word in _ABSENT):
        return BuildError(reference, f"there is no such image ({said})", f"Choose another one: {SETTING}.")
    todo = f"Check the network, or choose an image that the engine has: {SETTING}."
    return BuildError(reference, f"cannot be pulled: {said}", todo)
