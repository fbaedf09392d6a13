"""The steps that create an image on the engine: the base image and the app's image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.config.settings import Project
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image import catalogue
from mldeploy.image.build_inputs import BuildInputs, advise_on_base, collect_build_inputs, list_base_references
from mldeploy.image.cloud import HasEngine
from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError
from mldeploy.image.image_info import ImageInfo, describe_image, find_image, matches_platform
from mldeploy.image.labels import APP, CONTENT, HASH, TAG_DIGITS
from mldeploy.image.types import BaseDigest, Image


@dataclass(frozen=True, eq=False)
class BaseImage(Step[HasEngine, BaseDigest]):
    """The base images are on the engine: `build.base_image`, or those of a custom Dockerfile."""

    kind: ClassVar[str] = "base-image"
    title: ClassVar[str] = "Get the base image"
    stays: ClassVar[bool] = True

    project: Project

    def key(self) -> Key:
        build = self.project.build
        return Key(build.dockerfile or build.base_image, (self.project.app.name,))

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[BaseDigest] | None:
        digests = [(base, self._present(cloud.engine, base)) for base in list_base_references(self.project)]
        known = tuple((base, info.digest(base)) for base, info in digests if info)
        return Seen(BaseDigest(known), ours=False) if len(known) == len(digests) else None

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[BaseDigest] | None, monitor: Monitor) -> BaseDigest:
        from mldeploy.image.pull import pull_image  # noqa: PLC0415 - a deployment that changes nothing does not wait for it

        _require_platform(cloud, self.project)
        digests = []
        for base in list_base_references(self.project):
            if self._present(cloud.engine, base) is None:
                advice = advise_on_base(self.project, base)
                pull_image(cloud.engine, base, self.project.build.platform, monitor, advice)
            info = self._present(cloud.engine, base)
            if info is None:
                todo = f"Choose another platform (build.platform), or {advise_on_base(self.project, base)}."
                raise BuildError(base, f"there is no such image for {self.project.build.platform}", todo)
            digests.append((base, info.digest(base)))
        return BaseDigest(tuple(digests))

    def _present(self, engine: Engine, base: str) -> ImageInfo | None:
        info = find_image(engine, base)
        return info if info and matches_platform(info.platform, self.project.build.platform) else None

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """Base images are not removed: other images may use them."""
        return False


@dataclass(frozen=True, eq=False)
class BuiltImage(Step[HasEngine, Image]):
    """The app's image. Its tag is the hash of its files, recipe, base and platform."""

    kind: ClassVar[str] = "image"
    title: ClassVar[str] = "Build the image"

    project: Project
    base: BaseImage

    @classmethod
    def of(cls, project: Project) -> BuiltImage:
        """Return the step with its base image."""
        return cls(project, BaseImage(project))

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[Image] | None:
        base = outs.get(self.base)
        if base is None and not catalogue.list_images(cloud.engine, self.key().name):
            return None
        inputs = collect_build_inputs(self.project)
        digest = inputs.digest(outs[self.base])
        reference = self._reference(digest)
        info = find_image(cloud.engine, reference)
        if info is None:
            return self._probe_promoted(cloud, inputs, outs[self.base])
        out = describe_image(cloud.engine, reference, info, inputs.recipe.parts if inputs.recipe else ())
        if info.labels.get(APP) == self.key().name and info.labels.get(HASH) == digest:
            return Seen(out)
        return Seen(out, drift=("its labels do not match its tag",), ours=False)

    def _probe_promoted(self, cloud: HasEngine, inputs: BuildInputs, base: BaseDigest) -> Seen[Image] | None:
        """Look for an image that was promoted from another environment, of these same inputs."""
        promoted = list(catalogue.list_promoted(cloud.engine, self.key().name)) if self._in_environment else []
        content = inputs.content_digest(base) if promoted else ""
        for reference, labels in promoted:
            info = find_image(cloud.engine, reference) if labels.get(CONTENT) == content else None
            if info is not None:
                return Seen(describe_image(cloud.engine, reference, info, inputs.recipe.parts if inputs.recipe else ()))
        return None

    @property
    def _in_environment(self) -> bool:
        return self.project.app.environment is not None

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[Image] | None, monitor: Monitor) -> Image:
        from mldeploy.image.builders.build import build_image  # noqa: PLC0415 - nor does it wait for the builder
        from mldeploy.image.builders.build_request import create_build_request  # noqa: PLC0415
        from mldeploy.image.builders.choice import Builder, choose_client  # noqa: PLC0415

        _require_platform(cloud, self.project)
        inputs = collect_build_inputs(self.project)
        digest = inputs.digest(outs[self.base])
        reference = self._reference(digest)
        client = choose_client(cloud.engine, self.project.build.builder)
        builder = Builder.BUILDKIT if client else Builder.CLASSIC
        info = build_image(
            cloud.engine, create_build_request(inputs, reference, digest, outs[self.base], builder), monitor, client
        )
        return describe_image(cloud.engine, reference, info, inputs.recipe.parts if inputs.recipe else ())

    def _reference(self, digest: str) -> str:
        return f"{self.key().name}:{digest[:TAG_DIGITS]}"

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """Remove all images of the app and leftovers of its builds, except those that foreign containers use."""
        return catalogue.remove_images(cloud.engine, key.name)


@dataclass(frozen=True, eq=False)
class EngineImage(BuiltImage):
    """The image for a remote target: it stays on the engine."""

    stays: ClassVar[bool] = True

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """Remove nothing: `mldeploy images --prune` removes the image, as does destroying the local deployment."""
        return False


def _require_platform(cloud: HasEngine, project: Project) -> None:
    """Check the emulation for our recipe. A custom Dockerfile may cross-compile."""
    from mldeploy.image.engine import require_emulation  # noqa: PLC0415 - only what builds asks for it

    if project.build.dockerfile is None:
        require_emulation(cloud.engine, project.build.platform)
