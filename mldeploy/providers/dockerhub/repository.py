"""The steps that see to the app's repository on Docker Hub, and to the image in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.errors import LeftoversError, RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.registry.access import ImageRepository
from mldeploy.image.registry.push import list_leftover_tags, untag
from mldeploy.image.registry.steps import PushedImage, RepositoryStep
from mldeploy.image.types import Image
from mldeploy.providers.dockerhub import repository_api
from mldeploy.providers.dockerhub.account import HubCloud
from mldeploy.providers.dockerhub.errors import AGAIN, HubDeniedError, HubError
from mldeploy.providers.dockerhub.repository_api import HubRepositoryInfo, is_marked, missing_labels, repository_label

GONE_SECONDS = 120.0
GONE_EVERY = 0.5


@dataclass(frozen=True, eq=False)
class HubRepository(RepositoryStep[HubCloud]):
    """The app's repository, marked as ours. One that nobody's mark is on is used as it is, and stays."""

    kind: ClassVar[str] = "dockerhub-repository"
    title: ClassVar[str] = "Create the private Docker Hub repository"
    is_private: ClassVar[bool] = True

    name: str
    app: str

    def key(self) -> Key:
        """Without the namespace, which may be the user's own: only the clients know it."""
        return Key(self.name)

    def probe(self, cloud: HubCloud, outs: Outputs) -> Seen[ImageRepository] | None:
        repository = repository_api.describe_repository(cloud.account, self.name)
        if repository is None:
            return None
        out = _image_repository(cloud, self.name)
        missing = missing_labels(repository.description, self.app)
        if missing and is_marked(repository.description):
            return Seen(out, missing, ours=False)
        if missing:
            return Seen(out, self._exposed(repository), ours=False)
        return Seen(out, self._drift(repository))

    def apply(
        self, cloud: HubCloud, outs: Outputs, seen: Seen[ImageRepository] | None, monitor: Monitor
    ) -> ImageRepository:
        account, path = cloud.account, cloud.path(self.name)
        created = (
            repository_api.create_repository(account, self.name, self.app, private=self.is_private)
            if seen is None
            else None
        )
        repository = created or repository_api.describe_repository(account, self.name)
        if repository is None:
            raise HubError(repository_label(path), "was there a moment ago, and is gone", AGAIN)
        if missing_labels(repository.description, self.app):
            todo = "Choose another name: `repository` in [target.dockerhub]."
            raise RefusedError(repository_label(path), "has just been created by somebody else", todo)
        if self._drift(repository):
            repository_api.set_privacy(account, self.name, private=self.is_private)
        return _image_repository(cloud, self.name)

    @staticmethod
    def undo(cloud: HubCloud, key: Key, monitor: Monitor) -> bool:
        """Remove the repository and every image in it."""
        repository = repository_api.describe_repository(cloud.account, key.name)
        if repository is None or missing_labels(repository.description, cloud.app):
            return False
        repository_api.delete_repository(cloud.account, key.name)
        for _ in monitor.attempts(every=GONE_EVERY, within=GONE_SECONDS):
            if repository_api.describe_repository(cloud.account, key.name) is None:
                return True
        what = f"is still there {GONE_SECONDS:.0f} s after it was deleted"
        raise LeftoversError(
            repository_label(cloud.path(key.name)), what, "Run `mldeploy destroy` again a little later."
        )

    def _drift(self, repository: HubRepositoryInfo) -> tuple[str, ...]:
        visibility = {True: "private", False: "public"}
        if repository.is_private == self.is_private:
            return ()
        return (f"{visibility[repository.is_private]} → {visibility[self.is_private]}",)

    def _exposed(self, repository: HubRepositoryInfo) -> tuple[str, ...]:
        """What is wrong with a repository that we must not change: that everybody would have what nobody is to have."""
        return self._drift(repository) if self.is_private else ()


@dataclass(frozen=True, eq=False)
class PublicHubRepository(HubRepository):
    """One whose images everybody may have."""

    title: ClassVar[str] = "Create the public Docker Hub repository"
    is_private: ClassVar[bool] = False


@dataclass(frozen=True, eq=False)
class HubImage(PushedImage):
    """The image in the app's repository, which keeps the last ones that were pushed."""

    repository: HubRepository
    keep: int

    def key(self) -> Key:
        return Key(self.repository.name)

    def apply(  # type: ignore[override]  # of this cloud alone
        self, cloud: HubCloud, outs: Outputs, seen: Seen[Image] | None, monitor: Monitor
    ) -> Image:
        name = self.repository.name
        repository_api.require_push(cloud.account, cloud.path(name))
        image = super().apply(cloud, outs, seen, monitor)
        prune(cloud, name, self.keep, monitor, outs[self.image].reference.rpartition(":")[2])
        return image

    @staticmethod
    def undo(cloud: HubCloud, key: Key, monitor: Monitor) -> bool:  # type: ignore[override]  # of this cloud alone
        """The images go with their repository; here goes what a push that was killed left on the engine."""
        path = cloud.path(key.name)
        left = (*list_leftover_tags(cloud.engine, path), *list_leftover_tags(cloud.engine, path, shortened=True))
        removed = [untag(cloud.engine, reference) for reference in left]
        return any(removed)


def prune(cloud: HubCloud, name: str, keep: int, monitor: Monitor, latest: str) -> None:
    """Delete older images that mldeploy pushed to its own repository. A missing permission is only a warning."""
    account = cloud.account
    repository = repository_api.describe_repository(account, name)
    if repository is None or missing_labels(repository.description, cloud.app):
        return
    older = [tag for tag in repository_api.list_tags(account, name) if tag != latest][keep - 1 :]
    try:
        for tag in older:
            repository_api.delete_tag(account, name, tag)
    except HubDeniedError as error:
        monitor.note(f"{len(older)} older images stay in {cloud.path(name)}: {error.what}", warning=True)


def _image_repository(cloud: HubCloud, name: str) -> ImageRepository:
    return ImageRepository(f"{cloud.account.image_host}/{cloud.path(name)}", cloud.account.access)
