"""Images and their layers. The text of each field is its entry in docs/commands.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mldeploy.core.errors import RefusedError


@dataclass(frozen=True)
class Layer:
    """The part of an image that one instruction made."""

    instruction: Annotated[str, "instruction that created it"]
    size: Annotated[int, "bytes, uncompressed"]


@dataclass(frozen=True)
class Image:
    """An image that exists."""

    reference: Annotated[str, "`name:tag`, or `name@sha256:…` after a push"]
    digest: Annotated[str, "digest of the registry, or the engine's image ID before a push"]
    platform: Annotated[str, "`linux/amd64`"]
    size: Annotated[int, "bytes, uncompressed"]
    layers: Annotated[tuple[Layer, ...], "newest last"]
    builder: Annotated[str, "`buildkit` or `classic`; empty if unknown"] = ""

    def require_platform(self, platform: str, runner: str) -> None:
        """Raise RefusedError unless the image is for `platform`. runner: what would run it, such as "the tasks".

        An image for another processor can be pulled, but ends with `exec format error`.
        """
        if self.platform != platform:
            what = f"is for {self.platform}, and {runner} would run on {platform}"
            raise RefusedError(self.reference, what, "Set `platform` in [build], or correct FROM in the Dockerfile.")


@dataclass(frozen=True)
class BaseDigest:
    """What an image is built on: each `FROM`'s reference, and the digest that it has on the engine.

    The digest is the registry's where the image came from one, else the image id.
    """

    digests: tuple[tuple[str, str], ...]
