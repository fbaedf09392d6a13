"""The steps for the app's repository in Artifact Registry and the image in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from google.api_core import exceptions as api
from google.cloud.artifactregistry_v1 import types
from google.protobuf import field_mask_pb2

from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.registry.access import ImageRepository
from mldeploy.image.registry.push import list_leftover_tags, untag
from mldeploy.image.registry.steps import PushedImage, RepositoryStep
from mldeploy.providers.gcp.calls import call, wait_for_operation, wait_until_gone
from mldeploy.providers.gcp.cloud import GcpCloud
from mldeploy.providers.gcp.errors import GcpError, gcp_errors
from mldeploy.providers.gcp.repositories import (
    DOCKER,
    GCR_HOSTS,
    ArtifactRepositoryInfo,
    cleanup_policies,
    describe_repository,
    list_images,
    registry_access,
    where,
)
from mldeploy.providers.gcp.settings import missing_labels, owner_labels

TARGET = "gar"
READY_SECONDS = 120.0
VISIBLE_SECONDS = 30.0
GONE_SECONDS = 120.0


@dataclass(frozen=True, eq=False)
class GarRepository(RepositoryStep[GcpCloud]):
    """The app's repository, with owner labels and clean-up policies. Its output is the path of the app's image."""

    kind: ClassVar[str] = "gar-repository"
    title: ClassVar[str] = "Create the Artifact Registry repository"

    id: str
    app: str
    keep: int

    def key(self) -> Key:
        return Key(self.id)

    def probe(self, cloud: GcpCloud, outs: Outputs) -> Seen[ImageRepository] | None:
        existing = describe_repository(cloud, self.id)
        if existing is None:
            return None
        _require_docker(self.id, existing)
        missing = missing_labels(existing.labels, self.app, TARGET)
        return Seen(
            _image_repository(cloud, existing, self.app),
            missing or tuple(_drift(existing, self.keep)),
            ours=not missing,
        )

    def apply(
        self, cloud: GcpCloud, outs: Outputs, seen: Seen[ImageRepository] | None, monitor: Monitor
    ) -> ImageRepository:
        if seen is None:
            _create_repository(cloud, self, TARGET, monitor)
        existing = _require_repository(cloud, self.id, monitor)
        if missing_labels(existing.labels, self.app, TARGET):
            todo = "Choose another name: `repository` in the target's table."
            raise RefusedError(where(self.id), "was just created by somebody else", todo)
        _update_policies(cloud, existing, self.keep)
        return _image_repository(cloud, existing, self.app)

    @staticmethod
    def undo(cloud: GcpCloud, key: Key, monitor: Monitor) -> bool:
        """Delete the repository with all images."""
        existing = describe_repository(cloud, key.name)
        if existing is None or missing_labels(existing.labels, cloud.app, TARGET):
            return False
        _delete_repository(cloud, existing, key.name, monitor)
        return True


@dataclass(frozen=True, eq=False)
class GcrRepository(GarRepository):
    """The repository of a `gcr.io` name, which belongs to the project and is shared by its apps."""

    kind: ClassVar[str] = "gcr-repository"

    def probe(self, cloud: GcpCloud, outs: Outputs) -> Seen[ImageRepository] | None:
        """An existing repository is used unchanged."""
        existing = describe_repository(cloud, self.id)
        if existing is None:
            return None
        _require_docker(self.id, existing)
        return Seen(
            _image_repository(cloud, existing, self.app), ours=not missing_labels(existing.labels, self.app, GCR)
        )

    def apply(
        self, cloud: GcpCloud, outs: Outputs, seen: Seen[ImageRepository] | None, monitor: Monitor
    ) -> ImageRepository:
        continent = cloud.account.location
        monitor.note(
            f"Artifact Registry serves {self.id} from the repository {self.id} in {continent}. It does not exist in "
            f"{cloud.account.project}, so it is created."
        )
        _create_repository(cloud, self, GCR, monitor)
        return _image_repository(cloud, _require_repository(cloud, self.id, monitor), self.app)

    @staticmethod
    def undo(cloud: GcpCloud, key: Key, monitor: Monitor) -> bool:
        """Delete the repository only if mldeploy created it and only this app uses it."""
        existing = describe_repository(cloud, key.name)
        if existing is None or not owns_gcr_repository(cloud, existing, key.name):
            return False
        _delete_repository(cloud, existing, key.name, monitor)
        return True


GCR = "gcr"


@dataclass(frozen=True, eq=False)
class GarImage(PushedImage):
    """The image in the app's repository. Its key does not contain the project, which only the clients know."""

    repository: GarRepository

    def key(self) -> Key:
        return Key(f"{self.repository.id}/{self.repository.app}")

    @staticmethod
    def undo(cloud: GcpCloud, key: Key, monitor: Monitor) -> bool:  # type: ignore[override]  # of this cloud alone
        """Untag leftovers of killed pushes on the engine. The images are deleted with their repository."""
        repository, _, app = key.name.partition("/")
        left = list_leftover_tags(cloud.engine, f"{cloud.account.project}/{key.name}")
        if repository in GCR_HOSTS:
            every = list_leftover_tags(cloud.engine, f"{cloud.account.project}/{app}")
            left += tuple(each for each in every if each.startswith(f"{repository}/"))
        removed = [untag(cloud.engine, reference) for reference in left]
        return any(removed)


def owns_gcr_repository(cloud: GcpCloud, existing: ArtifactRepositoryInfo, repository: str) -> bool:
    """Whether mldeploy created the repository for the app and only the app uses it."""
    return not missing_labels(existing.labels, cloud.app, GCR) and list_images(cloud, repository) <= {cloud.app}


def _require_docker(repository: str, existing: ArtifactRepositoryInfo) -> None:
    if not existing.is_docker:
        todo = "Choose another name: `repository` in the target's table."
        raise RefusedError(where(repository), "exists, but is not a Docker repository", todo)


def _drift(existing: ArtifactRepositoryInfo, keep: int) -> Iterator[str]:
    if existing.keeps != keep:
        kept = {None: "keeps every image", -1: "has other clean-up policies"}
        yield f"{kept.get(existing.keeps, f'keeps the last {existing.keeps}')} → keeps the last {keep}"


def _require_repository(cloud: GcpCloud, repository: str, monitor: Monitor) -> ArtifactRepositoryInfo:
    """The repository, which exists. A new one may be missing in the first answers."""
    for _ in monitor.attempts(every=0.5, within=VISIBLE_SECONDS):
        if existing := describe_repository(cloud, repository):
            return existing
    raise GcpError(where(repository), "was deleted during the deployment", "Run the command again.")


def _create_repository(cloud: GcpCloud, step: GarRepository, target: str, monitor: Monitor) -> None:
    """Create the repository with its labels. On a conflict, wait until it is visible; the caller checks its owner."""
    repository = types.Repository(
        format_=DOCKER,
        description=f"Images of {step.app}" if target == TARGET else "Images under an old name of Container Registry",
        labels=owner_labels(step.app, target),
        cleanup_policies=cleanup_policies(step.keep) if target == TARGET else {},
    )
    request = types.CreateRepositoryRequest(parent=cloud.parent, repository_id=step.id, repository=repository)
    with gcp_errors(where(step.id), "artifactregistry.repositories.create"):
        try:
            operation = call(cloud.account.identity, cloud.artifacts.create_repository, request)
            wait_for_operation(operation, monitor, where(step.id), READY_SECONDS)
        except api.Conflict:
            for _ in monitor.attempts(every=0.5, within=READY_SECONDS):
                if describe_repository(cloud, step.id) is not None:
                    return


def _update_policies(cloud: GcpCloud, existing: ArtifactRepositoryInfo, keep: int) -> None:
    if existing.keeps == keep:
        return
    desired = types.Repository(
        name=existing.name, cleanup_policies=cleanup_policies(keep), cleanup_policy_dry_run=False
    )
    mask = field_mask_pb2.FieldMask(paths=["cleanup_policies", "cleanup_policy_dry_run"])
    request = types.UpdateRepositoryRequest(repository=desired, update_mask=mask)
    with gcp_errors(existing.name, "artifactregistry.repositories.update"):
        call(cloud.account.identity, cloud.artifacts.update_repository, request)


def _delete_repository(cloud: GcpCloud, existing: ArtifactRepositoryInfo, repository: str, monitor: Monitor) -> None:
    with gcp_errors(where(repository), "artifactregistry.repositories.delete"):
        try:
            call(
                cloud.account.identity,
                cloud.artifacts.delete_repository,
                types.DeleteRepositoryRequest(name=existing.name),
            )
        except api.NotFound:
            return  # deleted by an earlier attempt
        except api.FailedPrecondition:
            pass  # an earlier attempt is in progress
    wait_until_gone(monitor, where(repository), lambda: describe_repository(cloud, repository) is None, GONE_SECONDS)


def _image_repository(cloud: GcpCloud, existing: ArtifactRepositoryInfo, app: str) -> ImageRepository:
    """The repository for pushes. Its address is taken from the API."""
    address = existing.image_prefix.partition("/")[0]
    return ImageRepository(f"{existing.image_prefix}/{app}", lambda: registry_access(cloud.account, address))
