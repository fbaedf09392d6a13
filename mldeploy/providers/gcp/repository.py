"""The steps that see to the app's repository in Artifact Registry, and to the image in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from google.api_core import exceptions as api
from google.cloud.artifactregistry_v1 import types
from google.protobuf import field_mask_pb2

from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.registry.access import Repository
from mldeploy.image.registry.push import names, untag
from mldeploy.image.registry.steps import PushedImage, RepositoryStep
from mldeploy.providers.gcp.calls import call
from mldeploy.providers.gcp.cloud import GcpCloud
from mldeploy.providers.gcp.errors import GcpError, gcp_errors
from mldeploy.providers.gcp.labels import belonging, foreign
from mldeploy.providers.gcp.repositories import DOCKER, Described, access, describe, images, policies, where
from mldeploy.providers.gcp.waiting import finish, until_gone

TARGET = "gar"
READY_SECONDS = 120.0
GONE_SECONDS = 120.0


@dataclass(frozen=True, eq=False)
class GarRepository(RepositoryStep[GcpCloud]):
    """The app's repository: labelled as ours, keeping the last N images. Its output names the app's image in it."""

    kind: ClassVar[str] = "gar-repository"
    title: ClassVar[str] = "Create the Artifact Registry repository"

    id: str
    app: str
    keep: int

    def key(self) -> Key:
        return Key(self.id)

    def probe(self, cloud: GcpCloud, outs: Outputs) -> Seen[Repository] | None:
        found = describe(cloud, self.id)
        if found is None:
            return None
        _require_docker(self.id, found)
        missing = foreign(found.labels, self.app, TARGET)
        return Seen(_repository(cloud, found, self.app), missing or tuple(_drift(found, self.keep)), ours=not missing)

    def apply(self, cloud: GcpCloud, outs: Outputs, seen: Seen[Repository] | None, monitor: Monitor) -> Repository:
        if seen is None:
            _create(cloud, self, TARGET, monitor)
        found = _there(cloud, self.id)
        if foreign(found.labels, self.app, TARGET):
            todo = "Choose another name: `repository` in the target's table."
            raise RefusedError(where(self.id), "has just been made by somebody else", todo)
        _mend(cloud, found, self.keep)
        return _repository(cloud, found, self.app)

    @staticmethod
    def undo(cloud: GcpCloud, key: Key, monitor: Monitor) -> bool:
        """Remove the repository and every image in it."""
        found = describe(cloud, key.name)
        if found is None or foreign(found.labels, cloud.app, TARGET):
            return False
        _delete(cloud, found, key.name, monitor)
        return True


@dataclass(frozen=True, eq=False)
class GcrRepository(GarRepository):
    """The repository that answers under an old name of Google's: the project's own, in which each app has an image."""

    kind: ClassVar[str] = "gcr-repository"

    def probe(self, cloud: GcpCloud, outs: Outputs) -> Seen[Repository] | None:
        """One that is there is used as it is, whoever made it."""
        found = describe(cloud, self.id)
        if found is None:
            return None
        _require_docker(self.id, found)
        return Seen(_repository(cloud, found, self.app), ours=not foreign(found.labels, self.app, GCR))

    def apply(self, cloud: GcpCloud, outs: Outputs, seen: Seen[Repository] | None, monitor: Monitor) -> Repository:
        continent = cloud.account.location
        monitor.note(
            f"{self.id} is an old name, which Artifact Registry serves today: from the repository {self.id} in "
            f"{continent}, which {cloud.account.project} does not have yet. It is made."
        )
        _create(cloud, self, GCR, monitor)
        return _repository(cloud, _there(cloud, self.id), self.app)

    @staticmethod
    def undo(cloud: GcpCloud, key: Key, monitor: Monitor) -> bool:
        """Only one that we made, and in which there is nobody else's image."""
        found = describe(cloud, key.name)
        if found is None or not is_gcr_ours(cloud, found, key.name):
            return False
        _delete(cloud, found, key.name, monitor)
        return True


GCR = "gcr"


@dataclass(frozen=True, eq=False)
class GarImage(PushedImage):
    """The image in the app's repository. Its key does not name the project, which only the clients know."""

    repository: GarRepository

    def key(self) -> Key:
        return Key(f"{self.repository.id}/{self.repository.app}")

    @staticmethod
    def undo(cloud: GcpCloud, key: Key, monitor: Monitor) -> bool:  # type: ignore[override]  # of this cloud alone
        """The images go with their repository; here goes what a push that was killed left on the engine."""
        path = f"{cloud.account.project}/{key.name}"
        removed = [untag(cloud.engine, reference) for reference in names(cloud.engine, path)]
        return any(removed)


def is_gcr_ours(cloud: GcpCloud, found: Described, repository: str) -> bool:
    """Whether nobody would miss it but the app that it was made for."""
    return not foreign(found.labels, cloud.app, GCR) and images(cloud, repository) <= {cloud.app}


def _require_docker(repository: str, found: Described) -> None:
    if not found.is_docker:
        todo = "Choose another name: `repository` in the target's table."
        raise RefusedError(where(repository), "is there, and cannot take images", todo)


def _drift(found: Described, keep: int) -> Iterator[str]:
    if found.keeps != keep:
        kept = {None: "keeps every image", -1: "has other clean-up policies"}
        yield f"{kept.get(found.keeps, f'keeps the last {found.keeps}')} → keeps the last {keep}"


def _there(cloud: GcpCloud, repository: str) -> Described:
    found = describe(cloud, repository)
    if found is None:
        raise GcpError(where(repository), "was there a moment ago, and is gone", "Run the command again.")
    return found


def _create(cloud: GcpCloud, step: GarRepository, target: str, monitor: Monitor) -> None:
    """Labelled in the same call. If it is there by now, an attempt whose answer was lost made it, or somebody else."""
    made = types.Repository(
        format_=DOCKER,
        description=f"Images of {step.app}" if target == TARGET else "Images under an old name of Container Registry",
        labels=belonging(step.app, target),
        cleanup_policies=policies(step.keep) if target == TARGET else {},
    )
    request = types.CreateRepositoryRequest(parent=cloud.parent, repository_id=step.id, repository=made)
    with gcp_errors(where(step.id), "artifactregistry.repositories.create"):
        try:
            operation = call(cloud.account.identity, cloud.artifacts.create_repository, request)
            finish(operation, monitor, where(step.id), READY_SECONDS)
        except api.Conflict:
            for _ in monitor.attempts(every=0.5, within=READY_SECONDS):
                if describe(cloud, step.id) is not None:
                    return


def _mend(cloud: GcpCloud, found: Described, keep: int) -> None:
    if found.keeps == keep:
        return
    wanted = types.Repository(name=found.name, cleanup_policies=policies(keep), cleanup_policy_dry_run=False)
    mask = field_mask_pb2.FieldMask(paths=["cleanup_policies", "cleanup_policy_dry_run"])
    request = types.UpdateRepositoryRequest(repository=wanted, update_mask=mask)
    with gcp_errors(found.name, "artifactregistry.repositories.update"):
        call(cloud.account.identity, cloud.artifacts.update_repository, request)


def _delete(cloud: GcpCloud, found: Described, repository: str, monitor: Monitor) -> None:
    with gcp_errors(where(repository), "artifactregistry.repositories.delete"):
        try:
            call(
                cloud.account.identity,
                cloud.artifacts.delete_repository,
                types.DeleteRepositoryRequest(name=found.name),
            )
        except api.NotFound:
            return  # the answer to an earlier attempt was lost
        except api.FailedPrecondition:
            pass  # an earlier attempt is still at it
    until_gone(monitor, where(repository), lambda: describe(cloud, repository) is None, GONE_SECONDS)


def _repository(cloud: GcpCloud, found: Described, app: str) -> Repository:
    """The address is the API's word: nothing here knows what Google's registries are called."""
    address = found.uri.partition("/")[0]
    return Repository(f"{found.uri}/{app}", lambda: replace(access(cloud.account, address), address=address))
