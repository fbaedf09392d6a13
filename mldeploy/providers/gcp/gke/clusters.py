"""Clusters as Kubernetes Engine describes them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from google.api_core import exceptions as api
from google.cloud.container_v1 import types

from mldeploy.providers.gcp.calls import call
from mldeploy.providers.gcp.errors import gcp_errors
from mldeploy.providers.gcp.gke.settings import TARGET
from mldeploy.providers.gcp.labels import foreign

if TYPE_CHECKING:
    from mldeploy.providers.gcp.gke.cloud import GkeCloud

_Status = types.Cluster.Status


class State(Enum):
    """What can be done with a cluster."""

    COMING = "is being made"
    RUNNING = "runs"
    GOING = "is being removed"
    BROKEN = "is in error"
    """It never came up, or cannot be used any more: Google removes such a one by itself, some day."""


_STATES: Mapping[int, State] = {
    _Status.STATUS_UNSPECIFIED: State.COMING,
    _Status.PROVISIONING: State.COMING,
    _Status.RUNNING: State.RUNNING,
    _Status.RECONCILING: State.RUNNING,
    _Status.DEGRADED: State.RUNNING,
    _Status.STOPPING: State.GOING,
    _Status.ERROR: State.BROKEN,
}


@dataclass(frozen=True)
class Found:
    """A cluster. address: where its API answers, empty before it does. ca: PEM of who vouches for it.

    nodes: how many there are, in all zones together. machine_type: of the first node pool, empty with Autopilot.
    node_account: the service account of the nodes, "default" for the project's. complaint: what is wrong, or empty.
    """

    name: str
    location: str
    zones: int
    state: State
    labels: Mapping[str, str]
    is_autopilot: bool
    nodes: int
    machine_type: str
    channel: str
    node_account: str
    address: str
    ca: str
    complaint: str

    def missing(self, app: str) -> tuple[str, ...]:
        """What its labels lack to be the app's."""
        return foreign(self.labels, app, TARGET)


def where(name: str) -> str:
    return f"cluster {name}"


def path(cloud: GkeCloud, name: str) -> str:
    return f"projects/{cloud.account.project}/locations/{cloud.account.location}/clusters/{name}"


def find(cloud: GkeCloud, name: str) -> Found | None:
    """None if there is no such cluster in our location. Raises DeniedError, GcpError."""
    with gcp_errors(where(name), "container.clusters.get"):
        try:
            request = types.GetClusterRequest(name=path(cloud, name))
            return _found(call(cloud.account.identity, cloud.clusters.get_cluster, request))
        except api.NotFound:
            return None


def listed(cloud: GkeCloud) -> Iterator[Found]:
    """Every cluster of the project, wherever it is. Raises DeniedError, GcpError."""
    parent = f"projects/{cloud.account.project}/locations/-"
    with gcp_errors("clusters", "container.clusters.list"):
        request = types.ListClustersRequest(parent=parent)
        found = call(cloud.account.identity, cloud.clusters.list_clusters, request)
    return (_found(each) for each in found.clusters)


def _found(cluster: types.Cluster) -> Found:
    pool = cluster.node_pools[0] if cluster.node_pools else types.NodePool()
    defaults = cluster.autoscaling.autoprovisioning_node_pool_defaults
    account = defaults.service_account if cluster.autopilot.enabled else pool.config.service_account
    return Found(
        cluster.name,
        cluster.location,
        len(cluster.locations) or 1,
        _STATES.get(cluster.status, State.RUNNING),
        dict(cluster.resource_labels),
        cluster.autopilot.enabled,
        cluster.current_node_count,
        pool.config.machine_type,
        cluster.release_channel.channel.name.lower(),
        account or "default",
        _address(cluster),
        base64.b64decode(cluster.master_auth.cluster_ca_certificate).decode(),
        cluster.status_message or "; ".join(each.message for each in cluster.conditions if each.message),
    )


def _address(cluster: types.Cluster) -> str:
    """Where its API answers. One without a public address may have a name that Google leads there."""
    by_name = cluster.control_plane_endpoints_config.dns_endpoint_config
    if by_name.allow_external_traffic and cluster.private_cluster_config.enable_private_endpoint:
        return by_name.endpoint
    return cluster.endpoint or by_name.endpoint
