"""One build on the engine: have it built, check what came out, and only then give it its name."""

from __future__ import annotations

from contextlib import suppress

from docker.utils import parse_repository_tag

from mldeploy.core.monitor import Monitor
from mldeploy.image import buildkit, classic
from mldeploy.image.builder import Client
from mldeploy.image.cache import UNUSED, export
from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError, engine_errors
from mldeploy.image.found import Found, find, fits
from mldeploy.image.order import Order

ATTEMPTS = 5


def build(engine: Engine, order: Order, monitor: Monitor, client: Client | None = None) -> Found:
    """Build with BuildKit's `client`, or with the classic builder. No intermediate container is left behind.

    Raises BuildError, EngineError, ProjectError if a file changes meanwhile, CancelledError after a stop.
    """
    if client is None and (order.cache_from or order.cache_to):
        monitor.note(UNUSED, warning=True)
    image = buildkit.build(client, order, monitor) if client else _classic(engine, order, monitor)
    found = _checked(engine, order, image)
    if client and order.cache_to:
        export(engine, image, order.cache_to, monitor)
    return found


def _classic(engine: Engine, order: Order, monitor: Monitor) -> str:
    for _ in range(ATTEMPTS - 1):
        with suppress(classic.StumbledError):
            return classic.build(engine, order, monitor)
    return classic.build(engine, order, monitor)


def _checked(engine: Engine, order: Order, image: str) -> Found:
    found = find(engine, image)
    if found is None:
        raise BuildError(order.reference, "the engine built no image, and gave no reason", "Try again.")
    with engine_errors(order.reference):
        if not fits(found.platform, order.platform):
            engine.client.remove_image(image, force=True)
            todo = "Choose a base image for that platform (build.base_image), or another platform (build.platform)."
            raise BuildError(order.reference, f"was built for {found.platform}, not for {order.platform}", todo)
        repository, tag = parse_repository_tag(order.reference)
        engine.client.tag(image, repository, tag, force=True)
    return found
