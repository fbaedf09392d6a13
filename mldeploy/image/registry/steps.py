"""The steps that end in an image in a registry: a repository, and the image pushed to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Generic, Never

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import CloudT_contra, Key, Outputs, Seen, Step
from mldeploy.image.cloud import HasEngine
from mldeploy.image.found import find
from mldeploy.image.labels import HASH
from mldeploy.image.registry.access import Repository
from mldeploy.image.registry.client import Held, Registry
from mldeploy.image.registry.errors import RegistryError
from mldeploy.image.registry.push import Parcel, names, push, untag
from mldeploy.image.steps import BuiltImage
from mldeploy.image.types import Image


class RepositoryStep(Step[CloudT_contra, Repository], Generic[CloudT_contra]):
    """The place for an app's images in some platform's registry. Its key's name is the repository's path there."""


@dataclass(frozen=True, eq=False)
class PushedImage(Step[HasEngine, Image]):
    """The image is in the repository, under the hash of what decides it. What is there already is not sent again."""

    kind: ClassVar[str] = "pushed-image"
    title: ClassVar[str] = "Push the image"

    image: BuiltImage
    repository: RepositoryStep[Never]

    def key(self) -> Key:
        return self.repository.key()

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[Image] | None:
        """Asks the registry, not the engine: what was pushed from another machine counts."""
        repository = outs.get(self.repository)
        if repository is None:
            return None
        image = outs[self.image]
        parcel = _parcel(image, repository)
        with Registry(repository.enter()) as registry:
            held = registry.image(repository.path, parcel.tag, image.platform)
        if held is None:
            return None
        if _is_same(cloud, image, held):
            return Seen(_pushed(image, repository, held.digest))
        what = "holds another image than the one that was built from these files"
        raise RegistryError(parcel.reference, what, "Remove that tag from the repository, and push again.")

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[Image] | None, monitor: Monitor) -> Image:
        image, repository = outs[self.image], outs[self.repository]
        return _pushed(image, repository, push(cloud.engine, _parcel(image, repository), monitor))

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """The images go with their repository; here goes what a push that was killed left on the engine."""
        removed = [untag(cloud.engine, reference) for reference in names(cloud.engine, key.name)]
        return any(removed)


def _parcel(image: Image, repository: Repository) -> Parcel:
    return Parcel(image.reference, repository, image.reference.rpartition(":")[2])


def _is_same(cloud: HasEngine, image: Image, held: Held) -> bool:
    """The very image, or one that another machine has made from the same files."""
    if held.config == image.digest:
        return True
    local = find(cloud.engine, image.reference)
    return local is not None and bool(local.labels.get(HASH)) and local.labels.get(HASH) == held.labels.get(HASH)


def _pushed(image: Image, repository: Repository, digest: str) -> Image:
    return replace(image, reference=f"{repository.name}@{digest}", digest=digest)
