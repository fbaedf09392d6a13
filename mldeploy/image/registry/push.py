"""Bringing an image from the engine to a registry."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from docker import APIClient
from docker.errors import APIError, ImageNotFound

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors, explanation
from mldeploy.image.labels import HASH
from mldeploy.image.registry.access import Repository
from mldeploy.image.registry.client import Registry
from mldeploy.image.registry.errors import RegistryError
from mldeploy.image.stream import Event, follow

CONFIRM_SECONDS = 20.0
CONFIRM_EVERY = 0.5


@dataclass(frozen=True)
class Parcel:
    """An image on its way. local: its reference on the engine. tag: what it is called in the repository."""

    local: str
    repository: Repository
    tag: str

    @property
    def reference(self) -> str:
        return f"{self.repository.name}:{self.tag}"


def push(engine: Engine, parcel: Parcel, monitor: Monitor) -> str:
    """Push an image, telling each layer's bytes, and return its digest once the registry has confirmed it.

    The name that the engine needs for that is taken away again, and Docker's configuration is not touched. Raises
    RegistryError, EngineError; CancelledError after a stop; what asking for access raises.
    """
    repository = parcel.repository
    with engine_errors(parcel.reference):
        engine.client.tag(parcel.local, repository.name, parcel.tag)
    try:
        sent = _send(engine, parcel, monitor)
        _confirm(parcel, sent, monitor)
    finally:
        untag(engine, parcel.reference)
    return sent


def untag(engine: Engine, reference: str) -> bool:
    """Take a name from an image; True if it had it. The image stays if it has another one. Raises EngineError."""
    with engine_errors(reference), suppress(ImageNotFound):
        engine.client.remove_image(reference, noprune=True)
        return True
    return False


def names(engine: Engine, path: str, *, shortened: bool = False) -> tuple[str, ...]:
    """What a push that was killed has left: names of our images in the repository `path` of any registry.

    shortened: in that of Docker Hub, whose own address an engine leaves out.
    """
    found = []
    with engine_errors(engine.endpoint):
        for image in engine.client.images(filters={"label": [HASH]}):
            tag = image["Labels"][HASH]
            for reference in image["RepoTags"] or ():
                name, _, its_tag = reference.rpartition(":")
                if (name if shortened else name.partition("/")[2]) == path and tag.startswith(its_tag):
                    found.append(reference)
    return tuple(found)


def _send(engine: Engine, parcel: Parcel, monitor: Monitor) -> str:
    """The digest that the engine says it has pushed."""
    access = parcel.repository.enter()
    # The engine must not look for credentials of its own, not even where none are needed.
    login = {"username": access.user, "password": access.password.reveal(), "serveraddress": access.address}

    def start(client: APIClient) -> Iterable[dict[str, object]]:
        lines: Iterable[dict[str, object]] = client.push(
            parcel.repository.name, tag=parcel.tag, stream=True, decode=True, auth_config=login
        )
        return lines

    digest = ""
    with engine_errors(parcel.reference):
        try:
            for event in follow(engine.another_client(), start, monitor):
                if event.error:
                    raise _failure(parcel, event.error)
                digest = event.digest or digest
                if event.layer and event.status:
                    monitor.progress(_progress(event))
        except APIError as error:
            raise _failure(parcel, explanation(error)) from error
    if not digest:
        what = "the engine ended the push without saying what it has pushed"
        raise RegistryError(parcel.reference, what, "Run the command again: it sends what is missing.")
    return digest


def _progress(event: Event) -> Progress:
    return Progress(event.layer, event.status, event.done, event.total, in_bytes=bool(event.total))


def _confirm(parcel: Parcel, sent: str, monitor: Monitor) -> None:
    """Ask the registry for what the tag names now. A registry of many machines may need a moment to agree."""
    access = parcel.repository.enter()
    path = parcel.repository.path
    with Registry(access) as registry:
        found = None
        for _ in monitor.attempts(every=CONFIRM_EVERY, within=CONFIRM_SECONDS):
            found = registry.digest(path, parcel.tag)
            if found is not None:
                break
    if found == sent:
        return
    has = f"has {found}" if found else "has nothing"
    what = f"the engine pushed {sent}, and the registry {has} under that tag"
    raise RegistryError(parcel.reference, what, "Run the command again. If it stays so, somebody else pushes there.")


def _failure(parcel: Parcel, said: str) -> RegistryError:
    words = said.lower()
    if "immutable" in words:
        todo = "Another image was pushed under this tag; remove it from the repository."
        return RegistryError(parcel.reference, "the registry does not let a tag be moved", todo)
    if any(word in words for word in _FORBIDDEN):
        todo = "The account may lack the permission to push there."
        return RegistryError(parcel.reference, f"the registry refuses the push: {said}", todo)
    return RegistryError(
        parcel.reference, f"cannot be pushed: {said}", "Run the command again: it sends what is missing."
    )


_FORBIDDEN = ("denied", "unauthorized", "authentication required", "no basic auth", "forbidden")
