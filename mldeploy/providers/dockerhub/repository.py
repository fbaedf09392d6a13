"""The steps that see to the app's repository on Docker Hub, and to the image in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.errors import LeftoversError, RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.registry.access import Repository
from mldeploy.image.registry.push import names, untag
from mldeploy.image.registry.steps import PushedImage, RepositoryStep
from mldeploy.image.types import Image
from mldeploy.providers.dockerhub import repositories as hub
from mldeploy.providers.dockerhub.cloud import HubCloud
from mldeploy.providers.dockerhub.errors import AGAIN, DeniedError, HubError
from mldeploy.providers.dockerhub.marker import foreign, is_marked
from mldeploy.providers.dockerhub.repositories import Described, where

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

    def probe(self, cloud: HubCloud, outs: Outputs) -> Seen[Repository] | None:
        found = hub.describe(cloud.account, self.name)
        if found is None:
            return None
        out = _repository(cloud, self.name)
        missing = foreign(found.description, self.app)
        if missing and is_marked(found.description):
            return Seen(out, missing, ours=False)
        if missing:
            return Seen(out, self._exposed(found), ours=False)
        return Seen(out, self._drift(found))

    def apply(self, cloud: HubCloud, outs: Outputs, seen: Seen[Repository] | None, monitor: Monitor) -> Repository:
        account, path = cloud.account, cloud.path(self.name)
        made = hub.create(account, self.name, self.app, private=self.is_private) if seen is None else None
        found = made or hub.describe(account, self.name)
        if found is None:
            raise HubError(where(path), "was there a moment ago, and is gone", AGAIN)
        if foreign(found.description, self.app):
            todo = "Choose another name: `repository` in [target.dockerhub]."
            raise RefusedError(where(path), "has just been made by somebody else", todo)
        if self._drift(found):
            hub.set_privacy(account, self.name, private=self.is_private)
        return _repository(cloud, self.name)

    @staticmethod
    def undo(cloud: HubCloud, key: Key, monitor: Monitor) -> bool:
        """Remove the repository and every image in it."""
        found = hub.describe(cloud.account, key.name)
        if found is None or foreign(found.description, cloud.app):
            return False
        hub.delete(cloud.account, key.name)
        for _ in monitor.attempts(every=GONE_EVERY, within=GONE_SECONDS):
            if hub.describe(cloud.account, key.name) is None:
                return True
        what = f"is still there {GONE_SECONDS:.0f} s after it was deleted"
        raise LeftoversError(where(cloud.path(key.name)), what, "Run `mldeploy destroy` again a little later.")

    def _drift(self, found: Described) -> tuple[str, ...]:
        said = {True: "private", False: "public"}
        if found.is_private == self.is_private:
            return ()
        return (f"{said[found.is_private]} → {said[self.is_private]}",)

    def _exposed(self, found: Described) -> tuple[str, ...]:
        """What is wrong with a repository that we must not change: that everybody would have what nobody is to have."""
        return self._drift(found) if self.is_private else ()


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
        hub.require_push(cloud.account, cloud.path(name))
        image = super().apply(cloud, outs, seen, monitor)
        prune(cloud, name, self.keep, monitor, outs[self.image].reference.rpartition(":")[2])
        return image

    @staticmethod
    def undo(cloud: HubCloud, key: Key, monitor: Monitor) -> bool:  # type: ignore[override]  # of this cloud alone
        """The images go with their repository; here goes what a push that was killed left on the engine."""
        path = cloud.path(key.name)
        left = (*names(cloud.engine, path), *names(cloud.engine, path, shortened=True))
        removed = [untag(cloud.engine, reference) for reference in left]
        return any(removed)


def prune(cloud: HubCloud, name: str, keep: int, monitor: Monitor, latest: str) -> None:
    """Remove our older images from a repository of ours. What the token may not is only said: the image is there."""
    account = cloud.account
    found = hub.describe(account, name)
    if found is None or foreign(found.description, cloud.app):
        return
    older = [tag for tag in hub.tags(account, name) if tag != latest][keep - 1 :]
    try:
        for tag in older:
            hub.delete_tag(account, name, tag)
    except DeniedError as error:
        monitor.note(f"{len(older)} older images stay in {cloud.path(name)}: {error.what}", warning=True)


def _repository(cloud: HubCloud, name: str) -> Repository:
    return Repository(f"{cloud.account.shown}/{cloud.path(name)}", cloud.account.access)
