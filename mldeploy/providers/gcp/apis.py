"""Which of Google's APIs are enabled in a project, and how they are. https://cloud.google.com/service-usage/docs"""

from __future__ import annotations

from collections.abc import Iterable

from google.cloud.service_usage_v1 import ServiceUsageClient, types
from google.cloud.service_usage_v1.services.service_usage.transports import ServiceUsageGrpcTransport

from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.account import Account
from mldeploy.providers.gcp.calls import call, channel
from mldeploy.providers.gcp.cloud import ARTIFACT_REGISTRY, GRPC
from mldeploy.providers.gcp.errors import gcp_errors
from mldeploy.providers.gcp.waiting import finish

SERVICE_USAGE = "serviceusage.googleapis.com"
CONTAINER = "container.googleapis.com"
COMPUTE = "compute.googleapis.com"
REGISTRY_APIS = (ARTIFACT_REGISTRY,)
CLUSTER_APIS = (ARTIFACT_REGISTRY, COMPUTE, CONTAINER)
ENABLED_SECONDS = 300.0


class Apis:
    """The APIs of one project. Makes no call until it is asked."""

    def __init__(self, account: Account) -> None:
        address = account.endpoints.service(GRPC) or SERVICE_USAGE
        self._account = account
        self._parent = f"projects/{account.project}"
        made = channel(account.identity, address, account.endpoints.ca_bundle)
        self._client = ServiceUsageClient(transport=ServiceUsageGrpcTransport(channel=made))

    def disabled(self, services: Iterable[str]) -> tuple[str, ...]:
        """Those that are not enabled. Raises DeniedError, CredentialsError (no such project), GcpError."""
        names = [f"{self._parent}/services/{each}" for each in services]
        request = types.BatchGetServicesRequest(parent=self._parent, names=names)
        with gcp_errors(f"project {self._account.project}", "serviceusage.services.get"):
            found = call(self._account.identity, self._client.batch_get_services, request)
        off = (each for each in found.services if each.state != types.State.ENABLED)
        return tuple(each.name.rpartition("/")[2] for each in off)

    def enable(self, services: Iterable[str], monitor: Monitor) -> None:
        """Enable them, and return once they are. May be repeated. Raises DeniedError, GcpError."""
        request = types.BatchEnableServicesRequest(parent=self._parent, service_ids=list(services))
        with gcp_errors(f"project {self._account.project}", "serviceusage.services.enable"):
            operation = call(self._account.identity, self._client.batch_enable_services, request)
            finish(operation, monitor, f"project {self._account.project}", ENABLED_SECONDS)
