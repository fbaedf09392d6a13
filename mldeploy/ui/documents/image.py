"""What is said of images: `build`, `images`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mldeploy.ui.documents import Document
from mldeploy.ui.documents.verdict import VerdictDocument


@dataclass(frozen=True)
class LayerDocument:
    """One instruction's part of an image."""

    instruction: Annotated[str, "what made it"]
    size: Annotated[int, "bytes, uncompressed"]


@dataclass(frozen=True)
class ImageDocument:
    """An image."""

    reference: Annotated[str, "`name:tag`, or `name@sha256:…` once pushed"]
    digest: Annotated[str, "the registry's digest, or the engine's image id where nothing has been pushed"]
    platform: Annotated[str, "`linux/amd64`"]
    size: Annotated[int, "bytes, uncompressed"]
    layers: Annotated[tuple[LayerDocument, ...], "the newest last"]
    builder: Annotated[str, "what built it: `buildkit` or `classic`; empty if that is not known"]


@dataclass(frozen=True)
class StepDocument:
    """What was done to one thing."""

    kind: Annotated[str, "stable name of the kind of thing"]
    name: Annotated[str, "the thing's own name"]
    title: Annotated[str, "what the terminal shows"]
    action: Annotated[str, "`created`, `updated`, `unchanged` or `removed`"]
    seconds: Annotated[float, "wall time of this step alone"]


@dataclass(frozen=True)
class AssumedDocument:
    """Something that the configuration leaves open, and that was found in the folder."""

    key: Annotated[str, "the configuration's key: `app.entry`"]
    value: Annotated[str, "what holds now"]
    why: Annotated[str, "where it was found, with file and line where there is one"]


@dataclass(frozen=True)
class BuildDocument(Document):
    """`build`."""

    app: Annotated[str, "the app's name"]
    image: Annotated[ImageDocument, "the image for the files as they are now"]
    verdict: Annotated[VerdictDocument | None, "what was found when it was checked; null with `--no-check`"]
    steps: Annotated[tuple[StepDocument, ...], "in the order in which they ended"]
    assumed: Annotated[
        tuple[AssumedDocument, ...], "what the configuration leaves open, and was found in the folder"
    ] = ()


@dataclass(frozen=True)
class PushDocument(Document):
    """`push`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target to whose registry it was brought"]
    image: Annotated[ImageDocument, "the image there, by the digest that the registry has confirmed"]
    steps: Annotated[tuple[StepDocument, ...], "in the order in which they ended"]
    assumed: Annotated[
        tuple[AssumedDocument, ...], "what the configuration leaves open, and was found in the folder"
    ] = ()


@dataclass(frozen=True)
class LoginDocument(Document):
    """`login`."""

    target: Annotated[str, "the target whose credentials were proved"]
    user: Annotated[str, "whose they are, by the platform's own name"]
    place: Annotated[tuple[str, ...], "where they work: account, region"]
    registry: Annotated[str, "the registry's address"]
    expires: Annotated[str, "when the registry's credentials end; ISO 8601, UTC"]
    stored: Annotated[str | None, "the file or the program that keeps them for the `docker` command; null if none does"]


@dataclass(frozen=True)
class StoredImageDocument:
    """One image on the engine."""

    reference: Annotated[str, "`name:tag`"]
    digest: Annotated[str, "the engine's image id"]
    size: Annotated[int, "bytes, uncompressed"]
    created: Annotated[str, "ISO 8601, UTC"]
    in_use: Annotated[bool, "a container stands on it, so it is never pruned"]
    current: Annotated[bool, "it is what answers now on this machine"]


@dataclass(frozen=True)
class ImagesDocument(Document):
    """`images`."""

    app: Annotated[str, "the app's name"]
    images: Annotated[tuple[StoredImageDocument, ...], "what is on the engine now, the newest first"]
    removed: Annotated[tuple[str, ...], "references that `--prune` removed"]
