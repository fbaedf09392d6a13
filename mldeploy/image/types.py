"""What an image is to the rest of the house."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One instruction's part of an image. size: bytes, uncompressed."""

    instruction: str
    size: int


@dataclass(frozen=True)
class Image:
    """An image that exists.

    reference: `name:tag`, or `name@sha256:…` once pushed. digest: the registry's digest where it has been pushed, the
    engine's image id (`sha256:…`) before. platform: as inspected, `linux/amd64`. size: bytes, uncompressed.
    layers: the newest last. builder: what built it, `buildkit` or `classic`; "" if that is not known.
    """

    reference: str
    digest: str
    platform: str
    size: int
    layers: tuple[Layer, ...]
    builder: str = ""


@dataclass(frozen=True)
class BaseDigest:
    """What an image is built on: each `FROM`'s reference, and the digest that it has on the engine.

    The digest is the registry's where the image came from one, else the image id.
    """

    digests: tuple[tuple[str, str], ...]
