"""An image that is taken over from another environment of the app, instead of being built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from mldeploy.config.settings import Project
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Outputs, Seen
from mldeploy.image.cloud import HasEngine
from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError, engine_errors
from mldeploy.image.image_info import ImageInfo, describe_image, find_image
from mldeploy.image.labels import HASH, promoted_tag
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.steps import BaseImage, BuiltImage
from mldeploy.image.types import BaseDigest, Image


@dataclass(frozen=True)
class ImageSource:
    """What another environment runs. reference: `name@sha256:…` in a registry, `name:tag` on this machine's engine.

    access: requests credentials for the registry; None for an image of the engine.
    """

    reference: str
    access: Callable[[], RegistryAccess] | None = None

    @property
    def name(self) -> str:
        """The repository: `address/path`."""
        return self.reference.partition("@")[0]

    @property
    def path(self) -> str:
        """The repository's path within its registry."""
        return self.name.partition("/")[2]

    @property
    def digest(self) -> str:
        """The digest of the manifest; "" on an engine."""
        return self.reference.partition("@")[2]


@dataclass(frozen=True, eq=False)
class NoBaseImage(BaseImage):
    """Nothing is built, so that no base image is needed."""

    title: ClassVar[str] = BaseImage.title

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[BaseDigest] | None:
        return Seen(BaseDigest(()))


@dataclass(frozen=True, eq=False)
class PromotedImage(BuiltImage):
    """The image of another environment, on the engine under this app's name.

    Its content is that of the other environment, labels included. Its tag (`promoted_tag`) says whose it is.
    """

    title: ClassVar[str] = "Take over the image"

    source: ImageSource

    @classmethod
    def from_source(cls, project: Project, source: ImageSource) -> PromotedImage:
        """Return the step."""
        return cls(project, NoBaseImage(project), source)

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[Image] | None:
        info = self._find_source(cloud.engine)
        if info is None:
            return None
        reference = self._promoted_reference(info)
        present = find_image(cloud.engine, reference)
        return Seen(describe_image(cloud.engine, reference, info)) if present == info else None

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[Image] | None, monitor: Monitor) -> Image:
        """Pull the image if it is in a registry, and tag it. Raises BuildError, EngineError, RegistryError."""
        from mldeploy.image.pull import pull_by_digest  # noqa: PLC0415 - a promotion that changes nothing needs no pull

        info = self._find_source(cloud.engine)
        if info is None and self.source.access:
            pull_by_digest(cloud.engine, self.source.reference, self.source.access(), monitor)
            info = self._find_source(cloud.engine)
        if info is None:
            raise BuildError(self.source.reference, "is not there any more", "Deploy the source environment again.")
        reference = self._promoted_reference(info)
        with engine_errors(reference):
            name, _, tag = reference.rpartition(":")
            cloud.engine.client.tag(info.id, name, tag)
        return describe_image(cloud.engine, reference, info)

    def _find_source(self, engine: Engine) -> ImageInfo | None:
        return find_image(engine, self.source.reference)

    def _promoted_reference(self, info: ImageInfo) -> str:
        """Raises BuildError if mldeploy did not build the image."""
        digest = info.labels.get(HASH, "")
        if not digest:
            raise BuildError(self.source.reference, "has no label of mldeploy", "Deploy the source environment again.")
        return f"{self.key().name}:{promoted_tag(digest, self.key().name)}"
