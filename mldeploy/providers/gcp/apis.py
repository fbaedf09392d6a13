"""Check and enable Google APIs in a project. https://cloud.google.com/service-usage/docs"""

from __future__ import annotations

from collections.abc import Iterable

from google.cloud.service_usage_v1 import ServiceUsageClient, types
from google.cloud.service_usage_v1.services.service_usage.transports import ServiceUsageGrpcTransport

from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.account import GcpProject
from mldeploy.providers.gcp.calls import call, open_channel, wait_for_operation
from mldeploy.providers.gcp.cloud import ARTIFACT_REGISTRY, GRPC
from mldeploy.providers.gcp.errors import gcp_errors

SERVICE_USAGE = "serviceusage.googleapis.com"
CONTAINER = "container.googleapis.com"
COMPUTE = "compute.googleapis.com"
RUN = "run.googleapis.com"
IAM = "iam.googleapis.com"
SECRET_MANAGER = "secretmanager.googleapis.com"  # noqa: S105 - an API
LOGGING = "logging.googleapis.com"
REGISTRY_APIS = (ARTIFACT_REGISTRY,)
CLUSTER_APIS = (ARTIFACT_REGISTRY, COMPUTE, CONTAINER)
RUN_APIS = (ARTIFACT_REGISTRY, IAM, LOGGING, RUN)
ENABLED_SECONDS = 300.0


class ServiceApis:
    """The APIs of one project."""

    def __init__(self, account: GcpProject) -> None:
        address = account.endpoints.service(GRPC) or SERVICE_USAGE
        self._account = account
        self._parent = f"projects/{account.project}"
        grpc_channel = open_channel(account.identity, address, account.endpoints.ca_bundle)
        self._client = ServiceUsageClient(transport=ServiceUsageGrpcTransport(channel=grpc_channel))

    def list_disabled(self, services: Iterable[str]) -> tuple[str, ...]:
        """The services that are not enabled. Raises DeniedError, CredentialsError (no such project), GcpError."""
        names = [f"{self._parent}/services/{each}" for each in services]
        request = types.BatchGetServicesRequest(parent=self._parent, names=names)
        with gcp_errors(f"project {self._account.project}", "serviceusage.services.get"):
            response = call(self._account.identity, self._client.batch_get_services, request)
        off = (each for each in response.services if each.state != types.State.ENABLED)
        return tuple(each.name.rpartition("/")[2] for each in off)

    def enable(self, services: Iterable[str], monitor: Monitor) -> None:
        """Enable services and wait. May be repeated. Raises DeniedError, GcpError."""
        request = types.BatchEnableServicesRequest(parent=self._parent, service_ids=list(services))
        with gcp_errors(f"project {self._account.project}", "serviceusage.services.enable"):
            operation = call(self._account.identity, self._client.batch_enable_services, request)
            wait_for_operation(operation, monitor, f"project {self._account.project}", ENABLED_SECONDS)
