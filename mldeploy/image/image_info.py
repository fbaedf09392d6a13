"""Images on the engine."""

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
class ImageInfo:
    """An image as the engine describes it. repo_digests: `name@sha256:…` of every registry that it came from."""

    id: str
    platform: str
    size: int
    labels: Mapping[str, str]
    repo_digests: tuple[str, ...]

    def digest(self, reference: str) -> str:
        """Return the digest in the reference's registry, else the image id."""
        digests = dict(each.split("@", 1) for each in self.repo_digests)
        return digests.get(parse_repository_tag(reference)[0], self.id)


def find_image(engine: Engine, reference: str) -> ImageInfo | None:
    """Return an image, or None if the engine has none of this name. Raises EngineError."""
    with engine_errors(reference):
        try:
            document = engine.client.inspect_image(reference)
        except ImageNotFound:
            return None
    parts = (document["Os"], document["Architecture"], document.get("Variant"))
    return ImageInfo(
        id=document["Id"],
        platform="/".join(filter(None, parts)),
        size=document["Size"],
        labels=document["Config"].get("Labels") or {},
        repo_digests=tuple(document.get("RepoDigests") or ()),
    )


def short_name(tag: str) -> str:
    """Return an image's name as Docker shows it. Podman adds a registry."""
    return tag.removeprefix("docker.io/library/").removeprefix("localhost/")


def matches_platform(platform: str, required: str) -> bool:
    """Whether an image's platform is the required one. Variants are compared if both have one."""
    return all(ours == theirs for ours, theirs in zip(platform.split("/"), required.split("/"), strict=False))


def describe_image(engine: Engine, reference: str, info: ImageInfo, parts: tuple[str, ...] = ()) -> Image:
    """Return the image with its layers. parts: the names of those that our own recipe copies. Raises EngineError."""
    with engine_errors(reference):
        history = engine.client.history(info.id)
    layers = tuple(_layers(history, parts))
    return Image(reference, info.id, info.platform, info.size, layers[::-1], info.labels.get(BUILDER, ""))


_SYSTEM = "apt-get -qq install --no-install-recommends"

_COPIED = re.compile(r"(COPY|ADD) .*?\b(?:dir|file|multi):\w+ in (\S+)")


def _layers(history: list[dict[str, object]], parts: tuple[str, ...]) -> Iterator[Layer]:
    """Yield the layers of the history, newest first, without empty ones."""
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
    """Return a history entry's instruction, nearly as written."""
    text = str(entry["CreatedBy"]).replace("/bin/sh -c #(nop)", "").removeprefix("/bin/sh -c").strip()
    if copied := _COPIED.match(text):
        return f"{copied[1]} … {copied[2]}"
    return " ".join(text.split()) or str(entry["Comment"])
