"""One build on the engine: build, check the platform, tag, and export the cache."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from docker import APIClient
from docker.utils import parse_repository_tag

from mldeploy.core.monitor import Monitor
from mldeploy.core.scratch import sweep
from mldeploy.image.builders import buildkit, classic
from mldeploy.image.builders.build_request import BuildRequest
from mldeploy.image.builders.choice import Client
from mldeploy.image.builders.stream import follow_stream
from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError, EngineError, engine_errors
from mldeploy.image.image_info import ImageInfo, find_image, matches_platform
from mldeploy.image.pull import find_credentials, layer_progress
from mldeploy.image.registry.push import untag

ATTEMPTS = 5


def build_image(engine: Engine, request: BuildRequest, monitor: Monitor, client: Client | None = None) -> ImageInfo:
    """Build with BuildKit's `client`, or with the classic builder. No intermediate container is left behind.

    Removes temporary files of killed commands first.

    Raises BuildError, EngineError, ProjectError if a file changes meanwhile, CancelledError after a stop.
    """
    if client is None and (request.cache_from or request.cache_to):
        monitor.note(CACHE_UNUSED, warning=True)
    sweep()
    image = buildkit.build(client, request, monitor) if client else _build_classic(engine, request, monitor)
    info = _check_and_tag(engine, request, image)
    if client and request.cache_to:
        export_cache(engine, image, request.cache_to, monitor)
    return info


def _build_classic(engine: Engine, request: BuildRequest, monitor: Monitor) -> str:
    for _ in range(ATTEMPTS - 1):
        with suppress(classic.BuilderRaceError):
            return classic.build(engine, request, monitor)
    return classic.build(engine, request, monitor)


def _check_and_tag(engine: Engine, request: BuildRequest, image: str) -> ImageInfo:
    info = find_image(engine, image)
    if info is None:
        raise BuildError(request.reference, "the engine built no image and returned no error", "Try again.")
    with engine_errors(request.reference):
        if not matches_platform(info.platform, request.platform):
            engine.client.remove_image(image, force=True)
            todo = "Choose a base image for that platform (build.base_image), or another platform (build.platform)."
            raise BuildError(request.reference, f"was built for {info.platform}, not for {request.platform}", todo)
        repository, tag = parse_repository_tag(request.reference)
        engine.client.tag(image, repository, tag, force=True)
    return info


CACHE_UNUSED = "build.cache_from and build.cache_to need BuildKit: the classic builder builds without them"


def export_cache(engine: Engine, image: str, reference: str, monitor: Monitor) -> None:
    """Push an image of BuildKit with its inline cache as `reference`.

    A failure is only a warning. Raises CancelledError after a stop.
    """
    try:
        failure = _push_cache(engine, image, reference, monitor)
    except EngineError as error:
        failure = error.what
    if failure:
        monitor.note(f"The cache was not written to {reference}: {failure}", warning=True)


def _push_cache(engine: Engine, image: str, reference: str, monitor: Monitor) -> str:
    """Push and return the error message of the registry or engine, or ""."""
    repository, tag = parse_repository_tag(reference)
    tag = tag or "latest"
    login = find_credentials(repository, monitor)

    def start(client: APIClient) -> Iterable[dict[str, object]]:
        lines: Iterable[dict[str, object]] = client.push(
            repository, tag=tag, stream=True, decode=True, auth_config=login or {"username": "", "password": ""}
        )
        return lines

    with engine_errors(reference):
        engine.client.tag(image, repository, tag, force=True)
        try:
            for event in follow_stream(engine.another_client(), start, monitor):
                if event.error:
                    return event.error
                if event.layer and event.status:
                    monitor.progress(layer_progress(event))
        finally:
            untag(engine, f"{repository}:{tag}")
    return ""
