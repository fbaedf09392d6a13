"""Operations of Kubernetes Engine, which are its own and not those of the other APIs.

https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.operations
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from google.cloud import container_v1 as gke

from mldeploy.rehearsal.gcp.later import Later
from mldeploy.rehearsal.gcp.project import Place, Project
from mldeploy.rehearsal.gcp.refusals import ApiError, Code, absent, denied
from mldeploy.rehearsal.gcp.rpc.method import Method, Methods

SERVICE = "google.container.v1.ClusterManager"
CONTAINER = "container.googleapis.com"
BASE = f"https://{CONTAINER}/v1"
DOING = {
    "CREATE_CLUSTER": "creating",
    "DELETE_CLUSTER": "deleting",
    "UPDATE_CLUSTER": "updating",
    "SET_LABELS": "updating",
    "SET_NODE_POOL_SIZE": "resizing",
}
"""What an operation of a type does, as refusals say it."""
Status = gke.Operation.Status


@dataclass(frozen=True)
class Failure:
    """An order: the next operation of a type fails. seconds: after so long. code: of google.rpc.Code."""

    type: str
    seconds: float
    code: int
    message: str


class FailedError(Exception):
    """An operation has not succeeded. code: of google.rpc.Code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Operations:
    """begin: from a call that is being answered. May be used from several threads while its caller's lock is held."""

    def __init__(self, project: Project, later: Later) -> None:
        self._project = project
        self._later = later
        self._operations: dict[str, gke.Operation] = {}
        self._failures: list[Failure] = []

    def reset(self) -> None:
        self._operations.clear()
        self._failures.clear()

    def order(self, failure: Failure) -> None:
        """It is the next of its type that fails."""
        self._failures.append(failure)

    def begin(
        self,
        kind: str,
        cluster: str,
        phases: float,
        finish: Callable[[], None],
        failed: Callable[[FailedError], None],
    ) -> gke.Operation:
        """Work on a cluster; finish does it, and raises FailedError if it cannot. The operation is not done yet.

        kind: `CREATE_CLUSTER`.
        """
        place = Place.of(cluster)
        name = f"operation-{time.time_ns() // 10**6}-{uuid.uuid4()}"
        full = f"{place.parent}/operations/{name}"
        operation = gke.Operation(
            name=name,
            zone=place.location,
            location=place.location,
            operation_type=kind,
            status=Status.RUNNING,
            start_time=stamp(),
            target_link=f"{BASE}/{cluster}",
            self_link=f"{BASE}/{full}",
        )
        self._operations[full] = operation
        begun, failure = gke.Operation(operation), self._ordered(kind)

        def end() -> None:
            try:
                if failure is not None:
                    raise FailedError(failure.code, failure.message)
                finish()
            except FailedError as error:
                operation.error.code, operation.error.message = error.code, error.message
                operation.status_message = error.message
                failed(error)
            operation.end_time, operation.status = stamp(), Status(Status.DONE)

        if failure is not None:
            self._later.in_seconds(failure.seconds, end)
        else:
            self._later.after(phases, end)
        return begun

    def require_idle(self, cluster: str, name: str) -> None:
        """Raises ApiError while something is being done to a cluster."""
        for operation in self._operations.values():
            if operation.target_link == f"{BASE}/{cluster}" and operation.status != Status.DONE:
                doing = DOING[operation.operation_type.name]
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

    def _ordered(self, kind: str) -> Failure | None:
        for failure in self._failures:
            if failure.type == kind:
                self._failures.remove(failure)
                return failure
        return None

    def _get(self, request: gke.GetOperationRequest) -> gke.Operation:
        place = Place.of(request.name)
        if not self._project.is_called(place.project):
            raise denied("container.operations.get", request.name)
        name = f"projects/{self._project.id}/locations/{place.location}/{place.rest}"
        if name not in self._operations:
            raise absent(request.name)
        return gke.Operation(self._operations[name])

    def _list(self, request: gke.ListOperationsRequest) -> gke.ListOperationsResponse:
        place = Place.of(request.parent)
        if not self._project.is_called(place.project):
            raise denied("container.operations.list", request.parent)
        found = [gke.Operation(each) for each in self._operations.values() if place.location in ("-", each.location)]
        return gke.ListOperationsResponse(operations=found)


def stamp() -> str:
    """Now, as Google writes it: RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
