"""Read clusters of Kubernetes Engine and wait for their operations."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from google.api_core import exceptions as api
from google.cloud.container_v1 import types

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.calls import call, poll
from mldeploy.providers.gcp.errors import RETRY_TODO, GcpError, gcp_errors
from mldeploy.providers.gcp.gke import machines
from mldeploy.providers.gcp.gke.settings import TARGET
from mldeploy.providers.gcp.settings import missing_labels

if TYPE_CHECKING:
    from mldeploy.providers.gcp.gke.cloud import GkeCloud

_Status = types.Cluster.Status


class ClusterState(Enum):
    """The state of a cluster."""

    COMING = "is being created"
    RUNNING = "is running"
    GOING = "is being deleted"
    BROKEN = "is in error"
    """It failed to start or cannot be used. Google deletes such clusters eventually."""


_STATES: Mapping[int, ClusterState] = {
    _Status.STATUS_UNSPECIFIED: ClusterState.COMING,
    _Status.PROVISIONING: ClusterState.COMING,
    _Status.RUNNING: ClusterState.RUNNING,
    _Status.RECONCILING: ClusterState.RUNNING,
    _Status.DEGRADED: ClusterState.RUNNING,
    _Status.STOPPING: ClusterState.GOING,
    _Status.ERROR: ClusterState.BROKEN,
}


@dataclass(frozen=True)
class ClusterInfo:
    """A cluster. address: of its API, empty until it is created. ca: its CA certificate, PEM.

    nodes: the number in all zones that the first node pool should have. An upgrade adds some for a while.
    machine_type: of the first node pool, empty with Autopilot. architectures: of the nodes of all pools, and of those
    that the cluster adds by itself. node_account: the service account of the nodes, "default" for the project's.
    complaint: the error message, or empty.
    """

    name: str
    location: str
    zones: int
    state: ClusterState
    labels: Mapping[str, str]
    is_autopilot: bool
    nodes: int
    machine_type: str
    architectures: frozenset[str]
    channel: str
    node_account: str
    address: str
    ca: str
    complaint: str

    def missing_labels(self, app: str) -> tuple[str, ...]:
        """The owner labels that are missing or differ; empty if the app owns the cluster."""
        return missing_labels(self.labels, app, TARGET)

    @property
    def has_public_certificate(self) -> bool:
        """Whether the API has a DNS name, whose certificate is from a public authority instead of the cluster's.

        https://cloud.google.com/kubernetes-engine/docs/concepts/network-isolation
        """
        try:
            ipaddress.ip_address(self.address)
        except ValueError:
            return bool(self.address)
        return False


def where(name: str) -> str:
    return f"cluster {name}"


def cluster_path(cloud: GkeCloud, name: str) -> str:
    return f"projects/{cloud.account.project}/locations/{cloud.account.location}/clusters/{name}"


def find_cluster(cloud: GkeCloud, name: str) -> ClusterInfo | None:
    """The cluster in the configured location, or None. Raises DeniedError, GcpError."""
    with gcp_errors(where(name), "container.clusters.get"):
        try:
            request = types.GetClusterRequest(name=cluster_path(cloud, name))
            return parse_cluster(call(cloud.account.identity, cloud.clusters.get_cluster, request))
        except api.NotFound:
            return None


def list_clusters(cloud: GkeCloud) -> Iterator[ClusterInfo]:
    """All clusters of the project, in every location. Raises DeniedError, GcpError."""
    parent = f"projects/{cloud.account.project}/locations/-"
    with gcp_errors("clusters", "container.clusters.list"):
        request = types.ListClustersRequest(parent=parent)
        response = call(cloud.account.identity, cloud.clusters.list_clusters, request)
    return (parse_cluster(each) for each in response.clusters)


def parse_cluster(cluster: types.Cluster) -> ClusterInfo:
    """What a response says about a cluster."""
    pool = cluster.node_pools[0] if cluster.node_pools else types.NodePool()
    defaults = cluster.autoscaling.autoprovisioning_node_pool_defaults
    account = defaults.service_account if cluster.autopilot.enabled else pool.config.service_account
    return ClusterInfo(
        cluster.name,
        cluster.location,
        len(cluster.locations) or 1,
        _STATES.get(cluster.status, ClusterState.RUNNING),
        dict(cluster.resource_labels),
        cluster.autopilot.enabled,
        pool.initial_node_count * (len(cluster.locations) or 1),
        pool.config.machine_type,
        _architectures(cluster),
        cluster.release_channel.channel.name.lower(),
        account or "default",
        _address(cluster),
        base64.b64decode(cluster.master_auth.cluster_ca_certificate).decode(),
        cluster.status_message or "; ".join(each.message for each in cluster.conditions if each.message),
    )


def _architectures(cluster: types.Cluster) -> frozenset[str]:
    """Autopilot's general-purpose nodes are amd64.

    https://cloud.google.com/kubernetes-engine/docs/how-to/autopilot-arm-workloads
    """
    is_growing = cluster.autopilot.enabled or cluster.autoscaling.enable_node_autoprovisioning
    own = {machines.architecture(each.config.machine_type) for each in cluster.node_pools}
    return frozenset(own | {machines.AMD64} if is_growing else own)


def _address(cluster: types.Cluster) -> str:
    """The address of the cluster's API: an IP address, or the DNS endpoint of private clusters."""
    by_name = cluster.control_plane_endpoints_config.dns_endpoint_config
    if by_name.allow_external_traffic and cluster.private_cluster_config.enable_private_endpoint:
        return by_name.endpoint
    return cluster.endpoint or by_name.endpoint


POOL = "default-pool"
"""The name of a cluster's first node pool in GKE."""
_DONE = types.Operation.Status.DONE
_CAUSES = (
    (
        r"(?i)quota|RESOURCE_EXHAUSTED.*limit",
        "Request an increase (console: IAM & Admin, Quotas), use fewer or smaller nodes, or choose another region.",
    ),
    (
        r"(?i)stockout|does not have enough resources|ZONE_RESOURCE_POOL_EXHAUSTED",
        "Google has no capacity for this machine type now: try later, or choose another zone or `machine_type`.",
    ),
    (
        r"(?i)requires specifying a subnetwork|subnetwork .*(?:not found|does not exist|is not valid)",
        "Set `subnetwork` in [target.gke] to a subnetwork of `network` in the region of the cluster.",
    ),
    (
        r"(?i)network .*(?:not found|does not exist)|no network named|no default network|default network",
        "The network does not exist in the project. Set `network` (and `subnetwork`, if it needs one) in [target.gke].",
    ),
    (
        r"(?i)service account|actAs",
        "Check `node_service_account` in [target.gke]: it must exist, and you need iam.serviceAccounts.actAs on it.",
    ),
)


def wait_for_cluster_operation(cloud: GkeCloud, monitor: Monitor, operation: types.Operation, within: float) -> None:
    """Wait for an operation. Raises GcpError if it fails or at the deadline, CancelledError on a stop.

    After a stop, the operation continues in Google Cloud.
    """
    name = f"projects/{cloud.account.project}/locations/{cloud.account.location}/operations/{operation.name}"
    what = operation.operation_type.name.replace("_", " ").lower()
    for elapsed in poll(monitor, within):
        with gcp_errors(f"operation {operation.name}", "container.operations.get"):
            request = types.GetOperationRequest(name=name)
            response = call(cloud.account.identity, cloud.clusters.get_operation, request)
        if response.status == _DONE:
            if response.error.code:
                raise operation_error(what, response.error.message or response.status_message)
            return
        monitor.progress(Progress("", f"{what}: {response.detail or 'in progress'}, {elapsed:.0f} s"))
    raise GcpError(what, f"has not ended after {within:.0f} s", RETRY_TODO)


def operation_error(what: str, message: str) -> GcpError:
    """The error of a failed operation, with advice for known messages."""
    reason = " ".join(message.split()).rstrip(".") or "no reason given"
    todo = next((remedy for pattern, remedy in _CAUSES if re.search(pattern, reason)), RETRY_TODO)
    return GcpError(what, f"failed: {reason}", todo)
