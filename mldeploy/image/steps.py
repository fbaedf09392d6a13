"""The two steps that end in an image on the engine: the base that it stands on, and the image itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.config.settings import Project
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image import catalogue
from mldeploy.image.assembly import assemble, bases_of
from mldeploy.image.cloud import HasEngine
from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError
from mldeploy.image.found import Found, find, fits, image
from mldeploy.image.labels import APP, HASH
from mldeploy.image.types import BaseDigest, Image

TAG_DIGITS = 16


@dataclass(frozen=True, eq=False)
class BaseImage(Step[HasEngine, BaseDigest]):
    """What the recipe starts from is on the engine: `build.base_image`, or what the user's own Dockerfile names."""

    kind: ClassVar[str] = "base-image"
    title: ClassVar[str] = "Get the base image"
    stays: ClassVar[bool] = True

    project: Project

    def key(self) -> Key:
        build = self.project.build
        return Key(build.dockerfile or build.base_image, (self.project.app.name,))

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[BaseDigest] | None:
        digests = [(base, self._present(cloud.engine, base)) for base in bases_of(self.project)]
        known = tuple((base, found.digest(base)) for base, found in digests if found)
        return Seen(BaseDigest(known), ours=False) if len(known) == len(digests) else None

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[BaseDigest] | None, monitor: Monitor) -> BaseDigest:
        from mldeploy.image.pull import pull  # noqa: PLC0415 - a deployment that changes nothing does not wait for it

        _require_platform(cloud, self.project)
        digests = []
        for base in bases_of(self.project):
            if self._present(cloud.engine, base) is None:
                pull(cloud.engine, base, self.project.build.platform, monitor)
            found = self._present(cloud.engine, base)
            if found is None:
                todo = "Choose another base image (build.base_image), or another platform (build.platform)."
                raise BuildError(base, f"there is no such image for {self.project.build.platform}", todo)
            digests.append((base, found.digest(base)))
        return BaseDigest(tuple(digests))

    def _present(self, engine: Engine, base: str) -> Found | None:
        found = find(engine, base)
        return found if found and fits(found.platform, self.project.build.platform) else None

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """A base image is never ours to remove: others may stand on it."""
        return False


@dataclass(frozen=True, eq=False)
class BuiltImage(Step[HasEngine, Image]):
    """The app's image for exactly these files, this recipe, this base and this platform: its name is their hash."""

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
        base = outs.get(self.base)
        if base is None and not catalogue.images(cloud.engine, self.key().name):
            return None
        assembly = assemble(self.project)
        digest = assembly.digest(outs[self.base])
        reference = self._reference(digest)
        found = find(cloud.engine, reference)
        if found is None:
            return None
        out = image(cloud.engine, reference, found, ours=assembly.recipe is not None)
        if found.labels.get(APP) == self.key().name and found.labels.get(HASH) == digest:
            return Seen(out)
        return Seen(out, drift=("it is not what its name says",), ours=False)

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[Image] | None, monitor: Monitor) -> Image:
        from mldeploy.image.build import build  # noqa: PLC0415 - nor does it wait for the builder
        from mldeploy.image.builder import Builder, choose  # noqa: PLC0415
        from mldeploy.image.order import order  # noqa: PLC0415

        _require_platform(cloud, self.project)
        assembly = assemble(self.project)
        digest = assembly.digest(outs[self.base])
        reference = self._reference(digest)
        client = choose(cloud.engine, self.project.build.builder)
        builder = Builder.BUILDKIT if client else Builder.CLASSIC
        found = build(cloud.engine, order(assembly, reference, digest, outs[self.base], builder), monitor, client)
        return image(cloud.engine, reference, found, ours=assembly.recipe is not None)

    def _reference(self, digest: str) -> str:
        return f"{self.key().name}:{digest[:TAG_DIGITS]}"

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """Remove every image of the app, and what its builds left; what a foreign container uses is left alone."""
        return catalogue.remove(cloud.engine, key.name)


@dataclass(frozen=True, eq=False)
class EngineImage(BuiltImage):
    """The same to a target elsewhere: the image belongs to the engine, whatever becomes of what was made from it."""

    stays: ClassVar[bool] = True

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """Stays: `mldeploy images --prune` removes it, and so does removing the app from this machine."""
        return False


def _require_platform(cloud: HasEngine, project: Project) -> None:
    """A Dockerfile of the user's own may well compile for a processor without running anything on it."""
    from mldeploy.image.emulation import require  # noqa: PLC0415 - only what builds asks for it

    if project.build.dockerfile is None:
        require(cloud.engine, project.build.platform)
