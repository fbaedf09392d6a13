"""The images that an app has run on this machine. A label of its container names them; the engine keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from mldeploy.app.container import Container
from mldeploy.app.container_spec import Body, ContainerSpec, create_body
from mldeploy.image.engine_lock import describe_origin
from mldeploy.image.labels import RELEASES

KEPT = 10


@dataclass(frozen=True)
class PastRelease:
    """An image of the app, by its tag. created: when it was deployed; ISO 8601, UTC."""

    tag: str
    created: str

    def __str__(self) -> str:
        return f"{self.tag}={self.created}"


def list_releases(container: Container | None) -> tuple[PastRelease, ...]:
    """Return what the app has run so far, newest first; the first one is the container's own."""
    if container is None:
        return ()
    pairs = (each.partition("=") for each in container.releases.split())
    recorded = tuple(PastRelease(tag, created) for tag, _, created in pairs)
    return recorded or (PastRelease(_tag(container.spec), container.started),)


def releases_after(current: Container | None, spec: ContainerSpec) -> tuple[PastRelease, ...]:
    """Return the releases once `spec` runs, too. An image that runs again is the newest, and not listed twice."""
    tag, earlier = _tag(spec), list_releases(current)
    if earlier and earlier[0].tag == tag:
        return earlier
    now = PastRelease(tag, datetime.now(UTC).isoformat(timespec="seconds"))
    return (now, *(each for each in earlier if each.tag != tag))[:KEPT]


def release_body(spec: ContainerSpec, mark: str, releases: Sequence[PastRelease]) -> Body:
    """Return the request that creates a container with its releases."""
    body = create_body(spec, mark, describe_origin())
    labels = {**cast("dict[str, str]", body["Labels"]), RELEASES: " ".join(map(str, releases))}
    return {**body, "Labels": labels}


def _tag(spec: ContainerSpec) -> str:
    return spec.image.rpartition(":")[2]
