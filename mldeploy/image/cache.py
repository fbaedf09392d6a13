"""The build cache in a registry, for machines that begin with an empty one, as CI's do."""

from __future__ import annotations

from collections.abc import Iterable

from docker import APIClient
from docker.utils import parse_repository_tag

from mldeploy.core.monitor import Monitor
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError, engine_errors
from mldeploy.image.pull import credentials, progress
from mldeploy.image.registry.push import untag
from mldeploy.image.stream import follow

UNUSED = "build.cache_from and build.cache_to need BuildKit: the classic builder builds without them"


def export(engine: Engine, image: str, reference: str, monitor: Monitor) -> None:
    """Push an image that BuildKit has built, its cache in it, as `reference`; its layers are the image's own.

    That it fails is no reason to fail: it is told as a warning. Raises CancelledError after a stop.
    """
    try:
        failure = _pushed(engine, image, reference, monitor)
    except EngineError as error:
        failure = error.what
    if failure:
        monitor.note(f"The cache was not written to {reference}: {failure}", warning=True)


def _pushed(engine: Engine, image: str, reference: str, monitor: Monitor) -> str:
    """What the registry or the engine said against it; "" if nothing."""
    repository, tag = parse_repository_tag(reference)
    tag = tag or "latest"
    login = credentials(repository, monitor)

    def start(client: APIClient) -> Iterable[dict[str, object]]:
        lines: Iterable[dict[str, object]] = client.push(
            repository, tag=tag, stream=True, decode=True, auth_config=login or {"username": "", "password": ""}
        )
        return lines

    with engine_errors(reference):
        engine.client.tag(image, repository, tag, force=True)
        try:
            for event in follow(engine.another_client(), start, monitor):
                if event.error:
                    return event.error
                if event.layer and event.status:
                    monitor.progress(progress(event))
        finally:
            untag(engine, f"{repository}:{tag}")
    return ""
