"""Operations of Kubernetes Engine. Other APIs use google.longrunning.

https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.operations
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from google.cloud import container_v1 as gke

from mldeploy.rehearsal.gcp.errors import ApiError, Code, not_found, permission_denied
from mldeploy.rehearsal.gcp.longrunning import Scheduler
from mldeploy.rehearsal.gcp.project import ProjectLocation, StandInProject
from mldeploy.rehearsal.gcp.rpc.server import Method, Methods

SERVICE = "google.container.v1.ClusterManager"
CONTAINER = "container.googleapis.com"
BASE = f"https://{CONTAINER}/v1"
PROGRESS_WORDS = {
    "CREATE_CLUSTER": "creating",
    "DELETE_CLUSTER": "deleting",
    "UPDATE_CLUSTER": "updating",
    "SET_LABELS": "updating",
    "SET_NODE_POOL_SIZE": "resizing",
}
"""Verbs for operation types, used in error messages."""
Status = gke.Operation.Status


@dataclass(frozen=True)
class Failure:
    """Let the next operation of a type fail after `seconds`. code: of google.rpc.Code."""

    type: str
    seconds: float
    code: int
    message: str


class FailedError(Exception):
    """An operation failed. code: of google.rpc.Code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Operations:
    """All operations. Thread-safe if the callers hold a common lock."""

    def __init__(self, project: StandInProject, scheduler: Scheduler) -> None:
        self._project = project
        self._scheduler = scheduler
        self._operations: dict[str, gke.Operation] = {}
        self._failures: list[Failure] = []

    def reset(self) -> None:
        self._operations.clear()
        self._failures.clear()

    def add_failure(self, failure: Failure) -> None:
        """Let the next operation of the failure's type fail."""
        self._failures.append(failure)

    def begin(
        self,
        kind: str,
        cluster: str,
        phases: float,
        finish: Callable[[], None],
        failed: Callable[[FailedError], None],
    ) -> gke.Operation:
        """Begin an operation on a cluster. Returns it in the state RUNNING.

        kind: `CREATE_CLUSTER`. finish: performs it; raises FailedError. failed: is called with that error.
        """
        location = ProjectLocation.of(cluster)
        name = f"operation-{time.time_ns() // 10**6}-{uuid.uuid4()}"
        full = f"{location.parent}/operations/{name}"
        operation = gke.Operation(
            name=name,
            zone=location.location,
            location=location.location,
            operation_type=kind,
            status=Status.RUNNING,
            start_time=current_timestamp(),
            target_link=f"{BASE}/{cluster}",
            self_link=f"{BASE}/{full}",
        )
        self._operations[full] = operation
        begun, failure = gke.Operation(operation), self._take_failure(kind)

        def end() -> None:
            try:
                if failure is not None:
                    raise FailedError(failure.code, failure.message)
                finish()
            except FailedError as error:
                operation.error.code, operation.error.message = error.code, error.message
                operation.status_message = error.message
                failed(error)
            operation.end_time, operation.status = current_timestamp(), Status(Status.DONE)

        if failure is not None:
            self._scheduler.in_seconds(failure.seconds, end)
        else:
            self._scheduler.after(phases, end)
        return begun

    def require_idle(self, cluster: str, name: str) -> None:
        """Raise ApiError while an operation on the cluster is running."""
        for operation in self._operations.values():
            if operation.target_link == f"{BASE}/{cluster}" and operation.status != Status.DONE:
                doing = PROGRESS_WORDS[operation.operation_type.name]
                raise ApiError(
                    Code.FAILED_PRECONDITION,
                    f"Operation {operation.name} is currently {doing} cluster {name}. Please wait and try again once "
                    "it is done.",
                    "CLUSTER_ALREADY_HAS_OPERATION",
                    CONTAINER,
                )

    @property
    def methods(self) -> Methods:
        return {
            f"{SERVICE}/GetOperation": Method(
                CONTAINER, "container.operations.get", gke.GetOperationRequest, self._get
            ),
            f"{SERVICE}/ListOperations": Method(
                CONTAINER, "container.operations.list", gke.ListOperationsRequest, self._list
            ),
        }

    def _take_failure(self, kind: str) -> Failure | None:
        for failure in self._failures:
            if failure.type == kind:
                self._failures.remove(failure)
                return failure
        return None

    def _get(self, request: gke.GetOperationRequest) -> gke.Operation:
        location = ProjectLocation.of(request.name)
        if not self._project.is_called(location.project):
            raise permission_denied("container.operations.get", request.name)
        name = f"projects/{self._project.id}/locations/{location.location}/{location.rest}"
        if name not in self._operations:
            raise not_found(request.name)
        return gke.Operation(self._operations[name])

    def _list(self, request: gke.ListOperationsRequest) -> gke.ListOperationsResponse:
        location = ProjectLocation.of(request.parent)
        if not self._project.is_called(location.project):
            raise permission_denied("container.operations.list", request.parent)
        operations = [
            gke.Operation(each) for each in self._operations.values() if location.location in ("-", each.location)
        ]
        return gke.ListOperationsResponse(operations=operations)


def current_timestamp() -> str:
    """Return the current time in Google's format, RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
