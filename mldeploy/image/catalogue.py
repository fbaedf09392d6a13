"""The images of an app that are on the engine, and their removal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from docker.errors import NotFound

from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError, engine_errors
from mldeploy.image.found import short
from mldeploy.image.labels import HASH, SPEC, STAGE, belonging, matching


@dataclass(frozen=True)
class Use:
    """A container that was made from an image. ours: it belongs to the app's own deployment on this engine."""

    container: str
    running: bool
    ours: bool


@dataclass(frozen=True)
class BuiltInfo:
    """An image of an app. reference: `name:tag`, or the id's first 12 digits. created: ISO 8601, UTC. size: bytes."""

    reference: str
    id: str
    created: str
    size: int
    hash: str
    uses: tuple[Use, ...]

    @property
    def current(self) -> bool:
        """The app's deployment runs on it."""
        return any(use.ours and use.running for use in self.uses)


@dataclass(frozen=True)
class _Stored:
    """An image with the app's labels: a version of the app, or what a build has left (untagged)."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    """`name@sha256:…` of every registry that it has been brought to, or come from."""
    foreign: bool
    """Somebody else has given it a name, too."""
    created: datetime
    size: int
    hash: str
    stage: str
    uses: tuple[Use, ...]


def images(engine: Engine, app: str) -> tuple[BuiltInfo, ...]:
    """The app's images, newest first. Raises EngineError."""
    return tuple(
        BuiltInfo(
            reference=short(stored.tags[0]),
            id=stored.id,
            created=stored.created.isoformat(),
            size=stored.size,
            hash=stored.hash,
            uses=stored.uses,
        )
        for stored in _stored(engine, app)
        if stored.tags
    )


def prune(engine: Engine, app: str, keep: int) -> tuple[str, ...]:
    """Remove all but the newest `keep` images and those that are in use; return the references of the removed.

    What earlier builds left is removed, too, but for the newest builder stage, which keeps the next build fast.
    Raises EngineError.
    """
    stored = _stored(engine, app)
    versions = [each for each in stored if each.tags]
    rest = [each for each in stored if not each.tags]
    newest_builder = [each for each in rest if each.stage][:1]
    wanted = versions[keep:] + [each for each in rest if each not in newest_builder]
    return tuple(short(tag) for each in _remove(engine, wanted) for tag in each.tags)


def remove(engine: Engine, app: str) -> bool:
    """Remove every image of the app, and what its builds left. True if anything was removed.

    What a foreign container uses, or what bears somebody else's tag, is not ours any more and stays. Raises EngineError
    if a container of the app's own deployment still uses one.
    """
    stored = _stored(engine, app)
    for each in stored:
        for use in each.uses:
            if use.ours:
                what = f"the container {use.container} still uses it"
                raise EngineError((each.tags or (each.id,))[0], what, "Remove the container first.")
    versions_first = sorted(stored, key=lambda each: not each.tags)  # what builds left may be their parents
    return bool(list(_remove(engine, versions_first)))


def leftovers(engine: Engine, app: str) -> bool:
    """Whether `remove` would find anything that it may remove. Raises EngineError."""
    return any(not each.uses and (each.tags or not each.foreign) for each in _stored(engine, app))


def _remove(engine: Engine, wanted: Iterable[_Stored]) -> Iterator[_Stored]:
    for each in wanted:
        # By its names: one that somebody else has given the same image keeps it alive for them.
        names = (*each.tags, *(() if each.foreign else (*each.digests, each.id)))
        gone = [_is_removed(engine, name) for name in names] if not each.uses else []
        if any(gone):
            yield each


def _is_removed(engine: Engine, reference: str) -> bool:
    with engine_errors(reference):
        try:
            engine.client.remove_image(reference)
        except NotFound:  # it has gone with its last name, or with its last child
            return False
    return True


def _stored(engine: Engine, app: str) -> list[_Stored]:
    """Newest first."""
    uses: dict[str, list[Use]] = {}
    found = []
    with engine_errors(engine.endpoint):
        for container in engine.client.containers(all=True):
            uses.setdefault(container["ImageID"], []).append(_use(app, container))
        # By one label: of two, an older Podman finds nothing at all.
        for listed in engine.client.images(filters={"label": matching(app)["label"][:1]}):
            if belonging(app).items() <= listed["Labels"].items():
                with suppress(NotFound):  # another command removes it at this moment
                    found.append(_one(app, engine.client.inspect_image(listed["Id"]), uses))
    return sorted(found, key=lambda each: each.created, reverse=True)


def _use(app: str, container: dict[str, Any]) -> Use:
    labels = container["Labels"] or {}
    ours = SPEC in labels and belonging(app).items() <= labels.items()
    name = (container["Names"] or [container["Id"][:12]])[0].removeprefix("/")
    return Use(name, container["State"] == "running", ours)


def _one(app: str, image: dict[str, Any], uses: Mapping[str, list[Use]]) -> _Stored:
    names = {tag: short(tag) for tag in image["RepoTags"] or ()}
    ours = tuple(tag for tag, name in names.items() if name.startswith(f"{app}:"))
    labels = image["Config"]["Labels"]
    return _Stored(
        id=image["Id"],
        tags=ours,
        digests=tuple(image["RepoDigests"] or ()),
        foreign=len(ours) < len(names),
        # The list would tell whole seconds, in which two versions may well be built.
        created=datetime.fromisoformat(image["Created"]),
        size=image["Size"],
        hash=labels.get(HASH, ""),
        stage=labels.get(STAGE, ""),
        uses=tuple(uses.get(image["Id"], ())),
    )
