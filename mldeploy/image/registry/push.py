"""Pushes of images to a registry."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from docker import APIClient
from docker.errors import APIError, ImageNotFound

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.builders.stream import Event, follow_stream
from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors, explain_error
from mldeploy.image.labels import HASH
from mldeploy.image.registry.access import ImageRepository
from mldeploy.image.registry.client import RegistryClient, RegistryError

CONFIRM_SECONDS = 20.0
CONFIRM_EVERY = 0.5


@dataclass(frozen=True)
class PushRequest:
    """One push. local: the image's reference on the engine. tag: in the repository."""

    local: str
    repository: ImageRepository
    tag: str

    @property
    def reference(self) -> str:
        return f"{self.repository.name}:{self.tag}"


def push_image(engine: Engine, request: PushRequest, monitor: Monitor) -> str:
    """Push an image, report each layer's bytes, and return its digest once the registry has confirmed it.

    The temporary tag on the engine is removed, and Docker's configuration is not changed. Raises
    RegistryError, EngineError; CancelledError after a stop; what requesting credentials raises.
    """
    repository = request.repository
    with engine_errors(request.reference):
        engine.client.tag(request.local, repository.name, request.tag)
    try:
        sent = _send(engine, request, monitor)
        _confirm(request, sent, monitor)
    finally:
        untag(engine, request.reference)
    return sent


def untag(engine: Engine, reference: str) -> bool:
    """Remove a tag; True if it existed. The image stays if it has another tag. Raises EngineError."""
    with engine_errors(reference), suppress(ImageNotFound):
        engine.client.remove_image(reference, noprune=True)
        return True
    return False


def list_leftover_tags(engine: Engine, path: str, *, shortened: bool = False) -> tuple[str, ...]:
    """Return tags left by a killed push: our images' tags in the repository `path` of any registry.

    shortened: for Docker Hub, whose address engines omit.
    """
    tags = []
    with engine_errors(engine.endpoint):
        for image in engine.client.images(filters={"label": [HASH]}):
            tag = image["Labels"][HASH]
            for reference in image["RepoTags"] or ():
                name, _, its_tag = reference.rpartition(":")
                if (name if shortened else name.partition("/")[2]) == path and tag.startswith(its_tag):
                    tags.append(reference)
    return tuple(tags)


def _send(engine: Engine, request: PushRequest, monitor: Monitor) -> str:
    """Push and return the digest that the engine reports."""
    access = request.repository.enter()
    # Explicit credentials, so that the engine does not use its own.
    login = {"username": access.user, "password": access.password.reveal(), "serveraddress": access.address}

    def start(client: APIClient) -> Iterable[dict[str, object]]:
        lines: Iterable[dict[str, object]] = client.push(
            request.repository.name, tag=request.tag, stream=True, decode=True, auth_config=login
        )
        return lines

    digest = ""
    with engine_errors(request.reference):
        try:
            for event in follow_stream(engine.another_client(), start, monitor):
                if event.error:
                    raise _push_error(request, event.error)
                digest = event.digest or digest
                if event.layer and event.status:
                    monitor.progress(_layer_progress(event))
        except APIError as error:
            raise _push_error(request, explain_error(error)) from error
    if not digest:
        what = "the engine ended the push without a digest"
        raise RegistryError(request.reference, what, "Run the command again: it sends what is missing.")
    return digest


def _layer_progress(event: Event) -> Progress:
    return Progress(event.layer, event.status, event.done, event.total, in_bytes=bool(event.total))


def _confirm(request: PushRequest, sent: str, monitor: Monitor) -> None:
    """Check the tag's digest in the registry, which may be eventually consistent."""
    access = request.repository.enter()
    path = request.repository.path
    with RegistryClient(access) as registry:
        digest = None
        for _ in monitor.attempts(every=CONFIRM_EVERY, within=CONFIRM_SECONDS):
            digest = registry.digest(path, request.tag)
            if digest is not None:
                break
    if digest == sent:
        return
    has = f"has {digest}" if digest else "has nothing"
    what = f"the engine pushed {sent}, and the registry {has} under that tag"
    raise RegistryError(
        request.reference, what, "Run the command again. If it happens again, another client pushes the same tag."
    )


def _push_error(request: PushRequest, reason: str) -> RegistryError:
    words = reason.lower()
    if "immutable" in words:
        todo = "Another image was pushed under this tag; remove it from the repository."
        return RegistryError(request.reference, "the registry does not let a tag be moved", todo)
    if any(word in words for word in _FORBIDDEN):
        todo = "The account may lack the permission to push there."
        return RegistryError(request.reference, f"the registry refuses the push: {reason}", todo)
    return RegistryError(
        request.reference, f"cannot be pushed: {reason}", "Run the command again: it sends what is missing."
    )


_FORBIDDEN = ("denied", "unauthorized", "authentication required", "no basic auth", "forbidden")
