"""What is known of an image that is on the engine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from docker.errors import ImageNotFound
from docker.utils import parse_repository_tag

from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors
from mldeploy.image.labels import BUILDER
from mldeploy.image.types import Image, Layer


@dataclass(frozen=True)
class Found:
    """An image as the engine describes it. repo_digests: `name@sha256:…` of every registry that it came from."""

    id: str
    platform: str
    size: int
    labels: Mapping[str, str]
    repo_digests: tuple[str, ...]

    def digest(self, reference: str) -> str:
        """What the reference's own registry calls it, else the image id: a push to elsewhere changes nothing."""
        digests = dict(each.split("@", 1) for each in self.repo_digests)
        return digests.get(parse_repository_tag(reference)[0], self.id)


def find(engine: Engine, reference: str) -> Found | None:
    """None if the engine has no such image. Raises EngineError."""
    with engine_errors(reference):
        try:
            told = engine.client.inspect_image(reference)
        except ImageNotFound:
            return None
    parts = (told["Os"], told["Architecture"], told.get("Variant"))
    return Found(
        id=told["Id"],
        platform="/".join(filter(None, parts)),
        size=told["Size"],
        labels=told["Config"].get("Labels") or {},
        repo_digests=tuple(told.get("RepoDigests") or ()),
    )


def short(tag: str) -> str:
    """A name of an image as it is given, and as Docker shows it: Podman puts a registry before every one."""
    return tag.removeprefix("docker.io/library/").removeprefix("localhost/")


def fits(platform: str, wanted: str) -> bool:
    """Whether an image's platform is the one wanted; a variant counts where both name one."""
    return all(ours == theirs for ours, theirs in zip(platform.split("/"), wanted.split("/"), strict=False))


def image(engine: Engine, reference: str, found: Found, *, ours: bool) -> Image:
    """The image with its layers. ours: it was made with our own recipe, whose parts have names. Raises EngineError."""
    with engine_errors(reference):
        history = engine.client.history(found.id)
    layers = tuple(_layers(history, _PARTS if ours else ()))
    return Image(reference, found.id, found.platform, found.size, layers[::-1], found.labels.get(BUILDER, ""))


_PARTS = ("code", "assets", "model", "dependencies")
"""What the recipe copies, the last first. Below them there are the system packages, and the base."""
_SYSTEM = "apt-get -qq install --no-install-recommends"

_COPIED = re.compile(r"(COPY|ADD) .*?\b(?:dir|file|multi):\w+ in (\S+)")


def _layers(history: list[dict[str, object]], parts: tuple[str, ...]) -> Iterator[Layer]:
    """What the history says, the newest first, without the instructions that added nothing to the size."""
    names = list(parts)
    base = 0
    for entry in history:
        size = entry["Size"]
        text = _instruction(entry)
        if text.startswith("COPY ") and names:
            text = names.pop(0)
        elif parts and not names and _SYSTEM in text:
            text = "system packages"
        elif parts and not names:
            base += size if isinstance(size, int) else 0
            continue
        if isinstance(size, int) and size:
            yield Layer(text, size)
    if base:
        yield Layer("base image", base)


def _instruction(entry: dict[str, object]) -> str:
    """A history entry's instruction as its author wrote it, or nearly so."""
    text = str(entry["CreatedBy"]).replace("/bin/sh -c #(nop)", "").removeprefix("/bin/sh -c").strip()
    if copied := _COPIED.match(text):
        return f"{copied[1]} … {copied[2]}"
    return " ".join(text.split()) or str(entry["Comment"])
