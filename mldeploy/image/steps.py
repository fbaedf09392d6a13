"""The two steps that end in an image on the engine: the base that it stands on, and the image itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.config.settings import Project
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.cloud import HasEngine
from mldeploy.image.types import BaseDigest, Image


@dataclass(frozen=True, eq=False)
class BaseImage(Step[HasEngine, BaseDigest]):
    """What the recipe starts from is on the engine: `build.base_image`, or what the user's own Dockerfile names."""

    kind: ClassVar[str] = "base-image"
    title: ClassVar[str] = "Get the base image"

    project: Project

    def key(self) -> Key:
        build = self.project.build
        return Key(build.dockerfile or build.base_image, (self.project.app.name,))

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[BaseDigest] | None:
        raise NotImplementedError

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[BaseDigest] | None, monitor: Monitor) -> BaseDigest:
        raise NotImplementedError

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """A base image is never ours to remove: others may stand on it."""
        return False


@dataclass(frozen=True, eq=False)
class BuiltImage(Step[HasEngine, Image]):
    """The app's image for exactly these files, this recipe, this base and this platform."""

    kind: ClassVar[str] = "image"
    title: ClassVar[str] = "Build the image"

    project: Project
    base: BaseImage

    @classmethod
    def of(cls, project: Project) -> BuiltImage:
        """The step, and the one that it needs."""
        return cls(project, BaseImage(project))

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[Image] | None:
        raise NotImplementedError

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[Image] | None, monitor: Monitor) -> Image:
        raise NotImplementedError

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """Remove every image of the app, and what its builds left; one that a foreign container uses is left alone."""
        raise NotImplementedError
