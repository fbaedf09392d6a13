"""Which APIs are enabled. https://cloud.google.com/service-usage/docs/reference/rest"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.cloud import service_usage_v1 as su
from google.longrunning import operations_pb2

from mldeploy.rehearsal.gcp.errors import ApiError, Code, permission_denied, service_disabled
from mldeploy.rehearsal.gcp.longrunning import LongRunning, Scheduler
from mldeploy.rehearsal.gcp.project import StandInProject
from mldeploy.rehearsal.gcp.rpc.server import Method, Methods

SERVICE = "google.api.serviceusage.v1.ServiceUsage"
USAGE = "serviceusage.googleapis.com"
TITLES: Mapping[str, str] = {
    "artifactregistry.googleapis.com": "Artifact Registry API",
    "cloudresourcemanager.googleapis.com": "Cloud Resource Manager API",
    "compute.googleapis.com": "Compute Engine API",
    "container.googleapis.com": "Kubernetes Engine API",
    "iam.googleapis.com": "Identity and Access Management (IAM) API",
    "logging.googleapis.com": "Cloud Logging API",
    "run.googleapis.com": "Cloud Run Admin API",
    "secretmanager.googleapis.com": "Secret Manager API",
    USAGE: "Service Usage API",
}
"""APIs of the stand-in, with their titles."""
NEEDED: Mapping[str, str] = {"container.googleapis.com": "compute.googleapis.com"}
"""Enabling the key also enables the value."""
_PHASES = 1
_PROPAGATION_PHASES = 2
"""An enabled API still rejects calls for this time."""
_MOST_NAMES = 30
_MOST_ENABLED = 20


class Services:
    """All APIs. Initially all are enabled, as in an established project."""

    def __init__(self, project: StandInProject, scheduler: Scheduler, operations: LongRunning) -> None:
        self._project = project
        self._scheduler = scheduler
        self._operations = operations
        self._enabled: set[str] = set()
        self._serving: set[str] = set()
        self.reset()

    def reset(self) -> None:
        self._enabled, self._serving = set(TITLES), set(TITLES)

    def require(self, service: str) -> None:
        """Raise ApiError if an API does not serve this project yet."""
        if service not in self._serving:
            raise service_disabled(service, self._project.number)

    @property
    def methods(self) -> Methods:
        read, enable = "serviceusage.services.get", "serviceusage.services.enable"
        return {
            f"{SERVICE}/GetService": Method(USAGE, read, su.GetServiceRequest, self._get),
            f"{SERVICE}/BatchGetServices": Method(USAGE, read, su.BatchGetServicesRequest, self._batch_get),
            f"{SERVICE}/ListServices": Method(USAGE, "serviceusage.services.list", su.ListServicesRequest, self._list),
            f"{SERVICE}/EnableService": Method(USAGE, enable, su.EnableServiceRequest, self._enable),
            f"{SERVICE}/BatchEnableServices": Method(USAGE, enable, su.BatchEnableServicesRequest, self._enable_all),
            f"{SERVICE}/DisableService": Method(
                USAGE, "serviceusage.services.disable", su.DisableServiceRequest, self._disable
            ),
        }

    def _get(self, request: su.GetServiceRequest) -> su.Service:
        return self._described(self._known(request.name, "serviceusage.services.get"))

    def _batch_get(self, request: su.BatchGetServicesRequest) -> su.BatchGetServicesResponse:
        _limit("names", request.names, _MOST_NAMES)
        names = [self._known(name, "serviceusage.services.get") for name in request.names]
        return su.BatchGetServicesResponse(services=[self._described(each) for each in names])

    def _list(self, request: su.ListServicesRequest) -> su.ListServicesResponse:
        self._require_project(request.parent, "serviceusage.services.list")
        if request.filter not in ("", "state:ENABLED", "state:DISABLED"):
            raise ApiError(Code.INVALID_ARGUMENT, "The filter must be state:ENABLED or state:DISABLED.")
        state = request.filter.partition(":")[2]
        services = (self._described(each) for each in sorted(TITLES))
        return su.ListServicesResponse(services=[each for each in services if state in ("", each.state.name)])

    def _enable(self, request: su.EnableServiceRequest) -> operations_pb2.Operation:
        name = self._known(request.name, "serviceusage.services.enable")

        def enable() -> su.EnableServiceResponse:
            self._turn_on([name])
            return su.EnableServiceResponse(service=self._described(name))

        return self._operations.begin("operations", _PHASES, enable)

    def _enable_all(self, request: su.BatchEnableServicesRequest) -> operations_pb2.Operation:
        self._require_project(request.parent, "serviceusage.services.enable")
        _limit("service_ids", request.service_ids, _MOST_ENABLED)
        names = [self._existing(each) for each in request.service_ids]

        def enable() -> su.BatchEnableServicesResponse:
            self._turn_on(names)
            return su.BatchEnableServicesResponse(services=[self._described(each) for each in names])

        return self._operations.begin("operations", _PHASES, enable)

    def _disable(self, request: su.DisableServiceRequest) -> operations_pb2.Operation:
        name = self._known(request.name, "serviceusage.services.disable")
        if name == USAGE:
            raise ApiError(Code.FAILED_PRECONDITION, f"The service {name} is depended on by others.")
        self._enabled.discard(name)
        self._serving.discard(name)
        return self._operations.begin(
            "operations", _PHASES, lambda: su.DisableServiceResponse(service=self._described(name))
        )

    def _turn_on(self, names: Sequence[str]) -> None:
        """Enable APIs. They serve requests some time later."""
        every = {*names, *(NEEDED[name] for name in names if name in NEEDED)}

        def serve() -> None:
            self._serving |= self._enabled & every

        self._enabled |= every
        self._scheduler.after(_PROPAGATION_PHASES, serve)

    def _described(self, service: str) -> su.Service:
        return su.Service(
            name=f"projects/{self._project.number}/services/{service}",
            parent=f"projects/{self._project.number}",
            config=su.ServiceConfig(name=service, title=TITLES[service]),
            state=su.State.ENABLED if service in self._enabled else su.State.DISABLED,
        )

    def _known(self, name: str, permission: str) -> str:
        parent, _, service = name.rpartition("/services/")
        self._require_project(parent, permission)
        return self._existing(service)

    def _existing(self, service: str) -> str:
        if service not in TITLES:
            what = f"Not found or permission denied for service(s): {service}."
            reason = "SERVICE_CONFIG_NOT_FOUND_OR_PERMISSION_DENIED"
            raise ApiError(Code.PERMISSION_DENIED, what, reason, USAGE, {"services": service})
        return service

    def _require_project(self, parent: str, permission: str) -> None:
        if not self._project.is_called(parent.removeprefix("projects/")):
            raise permission_denied(permission, parent)


def _limit(field: str, values: Sequence[str], most: int) -> None:
    if not 0 < len(values) <= most:
        raise ApiError(Code.INVALID_ARGUMENT, f"{field} must have between 1 and {most} entries.")
