"""The steps that push an image: the repository and the pushed image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Generic, Never

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import CloudT_contra, Key, Outputs, Seen, Step
from mldeploy.image.cloud import HasEngine
from mldeploy.image.image_info import find_image
from mldeploy.image.labels import HASH
from mldeploy.image.promotion import ImageSource, PromotedImage
from mldeploy.image.registry.access import ImageRepository
from mldeploy.image.registry.client import RegistryClient, RegistryError, RemoteImage
from mldeploy.image.registry.push import PushRequest, list_leftover_tags, push_image, untag
from mldeploy.image.steps import BuiltImage
from mldeploy.image.types import Image


class RepositoryStep(Step[CloudT_contra, ImageRepository], Generic[CloudT_contra]):
    """The repository of an app's images in a registry. Its key's name is the repository's path."""


@dataclass(frozen=True, eq=False)
class PushedImage(Step[HasEngine, Image]):
    """The image is in the repository, tagged with its hash. Existing images are not pushed again."""

    kind: ClassVar[str] = "pushed-image"
    title: ClassVar[str] = "Push the image"

    image: BuiltImage
    repository: RepositoryStep[Never]

    def key(self) -> Key:
        return self.repository.key()

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[Image] | None:
        """Check the registry, not the engine, so that pushes from other machines count."""
        repository = outs.get(self.repository)
        if repository is None:
            return None
        image = outs[self.image]
        request = _push_request(image, repository)
        with RegistryClient(repository.enter()) as registry:
            held = registry.image(repository.path, request.tag, image.platform)
        if held is None:
            return None
        if _is_same(cloud, image, held):
            return Seen(_pushed_image(image, repository, held.digest))
        what = "holds another image than the one that was built from these files"
        raise RegistryError(request.reference, what, "Remove that tag from the repository, and push again.")

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[Image] | None, monitor: Monitor) -> Image:
        image, repository = outs[self.image], outs[self.repository]
        if isinstance(self.image, PromotedImage) and self.image.source.access:
            return _pushed_image(image, repository, _copy(self.image.source, image, repository, monitor))
        return _pushed_image(image, repository, push_image(cloud.engine, _push_request(image, repository), monitor))

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """Remove tags on the engine that a killed push left. The repository's step removes the images."""
        removed = [untag(cloud.engine, reference) for reference in list_leftover_tags(cloud.engine, key.name)]
        return any(removed)


def _copy(source: ImageSource, image: Image, repository: ImageRepository, monitor: Monitor) -> str:
    """Copy a promoted image, and return its digest."""
    from mldeploy.image.registry.copy import copy_image  # noqa: PLC0415 - only for a promotion

    access = source.access() if source.access else repository.enter()
    return copy_image(access, source.path, source.digest, repository, _push_request(image, repository).tag, monitor)


def _push_request(image: Image, repository: ImageRepository) -> PushRequest:
    return PushRequest(image.reference, repository, image.reference.rpartition(":")[2])


def _is_same(cloud: HasEngine, image: Image, held: RemoteImage) -> bool:
    """Whether it is this image, or one that another machine built from the same files."""
    if held.config == image.digest:
        return True
    local = find_image(cloud.engine, image.reference)
    return local is not None and bool(local.labels.get(HASH)) and local.labels.get(HASH) == held.labels.get(HASH)


def _pushed_image(image: Image, repository: ImageRepository, digest: str) -> Image:
    return replace(image, reference=f"{repository.name}@{digest}", digest=digest)
