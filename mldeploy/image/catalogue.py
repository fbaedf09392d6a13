"""The app's images on the engine, and their removal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from docker.errors import NotFound

from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError, engine_errors
from mldeploy.image.image_info import short_name
from mldeploy.image.labels import HASH, SPEC, STAGE, TAG_DIGITS, owner_filter, owner_labels, promoted_tag


@dataclass(frozen=True)
class ImageUse:
    """A container of an image. ours: it belongs to the app's deployment on this engine."""

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
    uses: tuple[ImageUse, ...]

    @property
    def current(self) -> bool:
        """The app's deployment runs on it."""
        return any(use.ours and use.running for use in self.uses)


@dataclass(frozen=True)
class _Stored:
    """An image with the app's labels: a version, or an untagged leftover of a build."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    """`name@sha256:…` of every registry that it was pushed to or pulled from."""
    foreign: bool
    """It also has a tag that is not ours."""
    shared: bool
    """That is the tag of another environment, which it was promoted from or to."""
    created: datetime
    size: int
    hash: str
    stage: str
    uses: tuple[ImageUse, ...]


def list_images(engine: Engine, app: str) -> tuple[BuiltInfo, ...]:
    """The app's images, newest first. Raises EngineError."""
    return tuple(
        BuiltInfo(
            reference=short_name(stored.tags[0]),
            id=stored.id,
            created=stored.created.isoformat(),
            size=stored.size,
            hash=stored.hash,
            uses=stored.uses,
        )
        for stored in _list_stored(engine, app)
        if stored.tags
    )


def prune_images(engine: Engine, app: str, keep: int) -> tuple[str, ...]:
    """Remove all but the newest `keep` images and those that are in use; return the references of the removed.

    Leftovers of builds are removed, too, except the newest builder stage, which speeds up the next build.
    Raises EngineError.
    """
    stored = _list_stored(engine, app)
    versions = [each for each in stored if each.tags]
    rest = [each for each in stored if not each.tags]
    newest_builder = [each for each in rest if each.stage][:1]
    removable = versions[keep:] + [each for each in rest if each not in newest_builder]
    return tuple(short_name(tag) for each in _remove(engine, removable) for tag in each.tags)


def remove_images(engine: Engine, app: str) -> bool:
    """Remove all images of the app and leftovers of its builds. True if any was removed.

    Images that a foreign container uses or that have a foreign tag stay. Raises EngineError
    if a container of the app's own deployment still uses one.
    """
    stored = _list_stored(engine, app)
    for each in stored:
        for use in each.uses:
            if use.ours:
                what = f"the container {use.container} still uses it"
                raise EngineError((each.tags or (each.id,))[0], what, "Remove the container first.")
    versions_first = sorted(stored, key=lambda each: not each.tags)  # leftovers may be their parents
    return bool(list(_remove(engine, versions_first)))


def has_leftovers(engine: Engine, app: str) -> bool:
    """Whether `remove_images` would find anything that it may remove. Raises EngineError."""
    return any((not each.uses or each.shared) and (each.tags or not each.foreign) for each in _list_stored(engine, app))


def _remove(engine: Engine, images: Iterable[_Stored]) -> Iterator[_Stored]:
    for each in images:
        # By its tags, so that a foreign tag keeps the image.
        names = (*each.tags, *(() if each.foreign else (*each.digests, each.id)))
        gone = [_is_removed(engine, name) for name in names] if not each.uses or each.shared else []
        if any(gone):
            yield each


def _is_removed(engine: Engine, reference: str) -> bool:
    with engine_errors(reference):
        try:
            engine.client.remove_image(reference)
        except NotFound:  # already removed with its last tag or child
            return False
    return True


def _list_stored(engine: Engine, app: str) -> list[_Stored]:
    """Newest first."""
    uses: dict[str, list[ImageUse]] = {}
    stored = []
    with engine_errors(engine.endpoint):
        for container in engine.client.containers(all=True):
            uses.setdefault(container["ImageID"], []).append(_parse_use(app, container))
        # By one label: older versions of Podman return nothing for two.
        for listed in engine.client.images(filters={"label": owner_filter(app)["label"][:1]}):
            if owner_labels(app).items() <= listed["Labels"].items():
                with suppress(NotFound):  # removed concurrently
                    stored.append(_parse_image(app, engine.client.inspect_image(listed["Id"]), uses))
        known = {each.id for each in stored}
        for promoted in _inspect_promoted(engine, app):
            if promoted["Id"] not in known:
                stored.append(_parse_image(app, promoted, uses))
    return sorted(stored, key=lambda each: each.created, reverse=True)


def list_promoted(engine: Engine, app: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the images that an app in an environment has taken over, by reference, with their labels.

    They have the labels of the environment that built them. Raises EngineError.
    """
    with engine_errors(engine.endpoint):
        for image in _inspect_promoted(engine, app):
            labels = image["Config"]["Labels"]
            yield f"{app}:{promoted_tag(labels[HASH], app)}", labels


def _inspect_promoted(engine: Engine, app: str) -> Iterator[dict[str, Any]]:
    suffix = promoted_tag("", app)
    if not re.fullmatch(r"-[0-9a-f]+", suffix):
        return
    for listed in engine.client.images(filters={"reference": f"{app}:*{suffix}"}):
        with suppress(NotFound):
            image = engine.client.inspect_image(listed["Id"])
            digest = (image["Config"]["Labels"] or {}).get(HASH, "")
            promoted = f"{app}:{promoted_tag(digest, app)}"
            if digest and any(short_name(tag) == promoted for tag in image["RepoTags"] or ()):
                yield image


def _parse_use(app: str, container: dict[str, Any]) -> ImageUse:
    labels = container["Labels"] or {}
    ours = SPEC in labels and owner_labels(app).items() <= labels.items()
    name = (container["Names"] or [container["Id"][:12]])[0].removeprefix("/")
    return ImageUse(name, container["State"] == "running", ours)


def _parse_image(app: str, image: dict[str, Any], uses: Mapping[str, list[ImageUse]]) -> _Stored:
    names = {tag: short_name(tag) for tag in image["RepoTags"] or ()}
    ours = tuple(tag for tag, name in names.items() if name.startswith(f"{app}:"))
    labels = image["Config"]["Labels"]
    others = {name.rpartition(":")[2][:TAG_DIGITS] for tag, name in names.items() if tag not in ours}
    return _Stored(
        id=image["Id"],
        tags=ours,
        digests=tuple(image["RepoDigests"] or ()),
        foreign=len(ours) < len(names),
        shared=labels.get(HASH, "")[:TAG_DIGITS] in others,
        # The list has whole seconds only.
        created=datetime.fromisoformat(image["Created"]),
        size=image["Size"],
        hash=labels.get(HASH, ""),
        stage=labels.get(STAGE, ""),
        uses=tuple(uses.get(image["Id"], ())),
    )
