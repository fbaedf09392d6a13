"""The services of the project by name, and their operations."""

from __future__ import annotations

from collections.abc import Callable

from google.cloud import run_v2 as run
from google.longrunning import operations_pb2

from mldeploy.rehearsal.gcp.errors import ApiError, Code, permission_denied
from mldeploy.rehearsal.gcp.iam import ProjectIam
from mldeploy.rehearsal.gcp.longrunning import LongRunning
from mldeploy.rehearsal.gcp.project import ProjectLocation, StandInProject
from mldeploy.rehearsal.gcp.run.messages import conflict
from mldeploy.rehearsal.gcp.run.stored_service import StoredRevision, StoredService

OPERATIONS = "run.operations.get"


class ServiceDirectory:
    """All services. services: by full name."""

    def __init__(self, project: StandInProject, operations: LongRunning, iam: ProjectIam) -> None:
        self._project = project
        self._operations = operations
        self._iam = iam
        self.services: dict[str, StoredService] = {}

    def list(self) -> list[StoredService]:
        """A copy of the list, which other threads may change meanwhile."""
        return list(self.services.values())

    def find(self, name: str, permission: str) -> StoredService:
        """Find a service by its full name. Raises ApiError."""
        full = self.full_name(name, permission)
        if full not in self.services:
            what = f"Resource '{full.rpartition('/')[2]}' of kind 'SERVICE' in region does not exist."
            raise ApiError(Code.NOT_FOUND, what)
        return self.services[full]

    def full_name(self, name: str, permission: str) -> str:
        """The name with the project's id. Raises ApiError."""
        location = self.parse(name, permission)
        return f"projects/{self._project.id}/locations/{location.location}/{location.rest}"

    def parse(self, name: str, permission: str) -> ProjectLocation:
        """Parse a name in this project. Raises ApiError."""
        location = ProjectLocation.of(name)
        if not self._project.is_called(location.project):
            raise permission_denied(permission, name)
        return location

    def find_revision(self, name: str, permission: str) -> tuple[StoredService, StoredRevision]:
        """Find a revision by its full name. Raises ApiError."""
        service, _, revision = name.partition("/revisions/")
        stored = self.find(service, permission)
        if revision not in stored.revisions:
            raise ApiError(Code.NOT_FOUND, f"Resource '{revision}' of kind 'REVISION' does not exist.")
        return stored, stored.revisions[revision]

    def begin(
        self, stored: StoredService, finish: Callable[[], run.Service | run.Revision], phases: float
    ) -> operations_pb2.Operation:
        """Begin an operation, see `LongRunning.begin`."""
        parent = f"{stored.service.name.partition('/services/')[0]}/operations"
        return self._operations.begin(
            parent, phases, finish, metadata=stored.service, check=lambda: self._iam.require(OPERATIONS)
        )


def require_etag(name: str, given: str, current: str) -> None:
    """Raise ApiError for the etag of another version. name: of the resource. given: empty: any."""
    if given not in ("", current):
        raise conflict(name.rpartition("/")[2], given, current)
