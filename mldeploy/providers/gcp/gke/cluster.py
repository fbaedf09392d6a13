"""The steps for the cluster: the app's own, or an existing shared one.

https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from google.api_core import exceptions as api
from google.cloud.container_v1 import types

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.gcp.calls import call, poll
from mldeploy.providers.gcp.errors import RETRY_TODO, GcpError, error_text, gcp_errors
from mldeploy.providers.gcp.gke.cloud import GkeCloud, create_kube_client
from mldeploy.providers.gcp.gke.clusters import (
    POOL,
    ClusterInfo,
    ClusterState,
    cluster_path,
    find_cluster,
    operation_error,
    wait_for_cluster_operation,
    where,
)
from mldeploy.providers.gcp.gke.machines import boot_disk_type
from mldeploy.providers.gcp.gke.removal import delete_cluster, remove_cluster
from mldeploy.providers.gcp.gke.settings import TARGET, GkeSettings, platform_architecture
from mldeploy.providers.gcp.identity import SCOPES
from mldeploy.providers.gcp.settings import owner_labels
from mldeploy.providers.kubernetes.api import KubeClient
from mldeploy.providers.kubernetes.cloud import ClusterStep


@dataclass(frozen=True, eq=False)
class GkeCluster(ClusterStep[GkeCloud]):
    """The app's own cluster. It is deleted with the app, after its contents."""

    kind: ClassVar[str] = "gke-cluster"
    title: ClassVar[str] = "Create the GKE cluster"

    app: str
    settings: GkeSettings
    platform: str
    """Of the image, `linux/amd64`."""

    @property
    def scope(self) -> tuple[str, ...]:
        return (self.app,)

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: GkeCloud, outs: Outputs) -> Seen[KubeClient] | None:
        """None unless the cluster is running: `apply` waits for clusters that are being created or deleted."""
        existing = find_cluster(cloud, self.app)
        if existing is None or existing.state is not ClusterState.RUNNING:
            return None
        kube, missing = create_kube_client(cloud.account, existing), existing.missing_labels(self.app)
        if missing:
            return Seen(kube, missing, ours=False)
        return Seen(kube, tuple(self._drift(existing)), tuple(self._immutable_drift(existing)))

    def apply(self, cloud: GkeCloud, outs: Outputs, seen: Seen[KubeClient] | None, monitor: Monitor) -> KubeClient:
        """Raises GcpError if the cluster does not start, RefusedError if it belongs to others.

        Raises ConfigError, before anything is made, if its nodes could not run the image.
        """
        self.settings.require_platform(self.platform)
        existing = self._reuse(cloud, monitor)
        if existing is None:
            self._create(cloud, monitor)
            existing = self._wait_until_running(cloud, monitor)
        if existing.missing_labels(self.app):
            raise RefusedError(where(self.app), "was just created by somebody else", "Choose another app name.")
        self._update(cloud, existing, monitor)
        return create_kube_client(cloud.account, existing)

    @staticmethod
    def undo(cloud: GkeCloud, key: Key, monitor: Monitor) -> bool:
        """Delete the load balancers, then the cluster. Raises LeftoversError if billed resources remain."""
        return remove_cluster(cloud, key.name, monitor)

    def _reuse(self, cloud: GkeCloud, monitor: Monitor) -> ClusterInfo | None:
        """The cluster if it is running or starting; None once it does not exist."""
        existing = find_cluster(cloud, self.app)
        if existing is None or existing.missing_labels(self.app) or existing.state is ClusterState.RUNNING:
            return existing
        if existing.state is ClusterState.COMING:
            return self._wait_until_running(cloud, monitor)
        monitor.progress(Progress("", "waiting until the previous cluster is deleted"))
        delete_cluster(cloud, self.app, monitor)
        return None

    def _create(self, cloud: GkeCloud, monitor: Monitor) -> None:
        """Create the cluster with its labels. On a conflict, the caller checks its owner."""
        labels = owner_labels(self.app, TARGET)
        cluster = build_cluster(self.app, cloud.account.project, self.settings, labels)
        parent = f"projects/{cloud.account.project}/locations/{cloud.account.location}"
        request = types.CreateClusterRequest(parent=parent, cluster=cluster)
        with gcp_errors(where(self.app), "container.clusters.create"):
            try:
                operation = call(cloud.account.identity, cloud.clusters.create_cluster, request)
            except api.Conflict:
                return
            except api.InvalidArgument as error:
                raise operation_error("create cluster", error_text(error)) from error
        wait_for_cluster_operation(cloud, monitor, operation, self.settings.cluster_timeout)

    def _wait_until_running(self, cloud: GkeCloud, monitor: Monitor) -> ClusterInfo:
        """Wait until the cluster is running, whichever command started its creation."""
        for elapsed in poll(monitor, self.settings.cluster_timeout):
            existing = find_cluster(cloud, self.app)
            if existing is not None and (existing.state is ClusterState.RUNNING or existing.missing_labels(self.app)):
                return existing
            if existing is not None and existing.state is ClusterState.BROKEN:
                raise operation_error("create cluster", existing.complaint)
            monitor.progress(Progress("", f"the cluster is being created, {elapsed:.0f} s"))
        raise GcpError(where(self.app), f"does not run after {self.settings.cluster_timeout} s", RETRY_TODO)

    def _drift(self, existing: ClusterInfo) -> Iterator[str]:
        desired = self._desired_nodes(existing)
        if desired is not None:
            yield f"{existing.nodes} nodes → {desired * existing.zones}"
        if existing.channel != self.settings.release_channel:
            yield f"release channel {existing.channel} → {self.settings.release_channel}"
        if platform_architecture(self.platform) != self.settings.nodes_architecture:
            yield f"{self.settings.nodes_architecture} nodes → nodes for {self.platform}"

    def _immutable_drift(self, existing: ClusterInfo) -> Iterator[str]:
        if existing.is_autopilot != self.settings.is_autopilot:
            yield "Autopilot → standard" if existing.is_autopilot else "standard → Autopilot"
        elif not existing.is_autopilot and existing.machine_type not in ("", self.settings.machine_type):
            yield f"machine type {existing.machine_type} → {self.settings.machine_type}"

    def _desired_nodes(self, existing: ClusterInfo) -> int | None:
        """The desired number of nodes in each zone; None to keep the current number."""
        desired = self.settings.nodes
        if desired is None or existing.is_autopilot or existing.nodes == desired * existing.zones:
            return None
        return desired

    def _update(self, cloud: GkeCloud, existing: ClusterInfo, monitor: Monitor) -> None:
        nodes, channel = self._desired_nodes(existing), self.settings.release_channel
        identity, whole = cloud.account.identity, cluster_path(cloud, self.app)
        if nodes is not None:
            request = types.SetNodePoolSizeRequest(name=f"{whole}/nodePools/{POOL}", node_count=nodes)
            with gcp_errors(where(self.app), "container.clusters.update"):
                operation = call(identity, cloud.clusters.set_node_pool_size, request)
            wait_for_cluster_operation(cloud, monitor, operation, self.settings.cluster_timeout)
        if existing.channel != channel:
            update = types.ClusterUpdate(desired_release_channel=types.ReleaseChannel(channel=CHANNELS[channel]))
            with gcp_errors(where(self.app), "container.clusters.update"):
                update_request = types.UpdateClusterRequest(name=whole, update=update)
                operation = call(identity, cloud.clusters.update_cluster, update_request)
            wait_for_cluster_operation(cloud, monitor, operation, self.settings.cluster_timeout)


@dataclass(frozen=True, eq=False)
class SharedCluster(ClusterStep[GkeCloud]):
    """An existing cluster. It is used, never changed, and never deleted."""

    kind: ClassVar[str] = "gke-shared-cluster"
    title: ClassVar[str] = "Find the GKE cluster"
    stays: ClassVar[bool] = True

    name: str
    platform: str
    """Of the image, `linux/amd64`."""

    @property
    def scope(self) -> tuple[str, ...]:
        return (self.name,)

    def key(self) -> Key:
        return Key(self.name)

    def probe(self, cloud: GkeCloud, outs: Outputs) -> Seen[KubeClient] | None:
        """Raises AbsentError if there is none, GcpError if it does not run. Nodes for other images are a difference."""
        existing = find_cluster(cloud, self.name)
        if existing is None:
            what = f"does not exist in {cloud.account.location} of {cloud.account.project}"
            todo = "Correct `cluster` (and `region` or `zone`) in [target.gke], or remove it to create a cluster."
            raise AbsentError(where(self.name), what, todo)
        if existing.state is not ClusterState.RUNNING:
            raise GcpError(where(self.name), existing.state.value, "Wait until it is running, or choose another one.")
        return Seen(create_kube_client(cloud.account, existing), wrong_nodes(self.platform, existing), ours=False)

    def apply(self, cloud: GkeCloud, outs: Outputs, seen: Seen[KubeClient] | None, monitor: Monitor) -> KubeClient:
        """Return the client. Raises AbsentError if the cluster was deleted after the plan."""
        if seen is None:
            raise AbsentError(where(self.name), "was deleted", "Choose another one: `cluster` in [target.gke].")
        return seen.out

    @staticmethod
    def undo(cloud: GkeCloud, key: Key, monitor: Monitor) -> bool:
        """Nothing to do: the cluster is not the app's."""
        return False


def wrong_nodes(platform: str, cluster: ClusterInfo) -> tuple[str, ...]:
    """One readable line if no node of a shared cluster can run images of a platform; else empty."""
    there = sorted(cluster.architectures)
    if not there or platform_architecture(platform) in there:
        return ()
    return (f'{there[0]} nodes → nodes for {platform}, or platform = "linux/{there[0]}" in [build]',)


CHANNELS: Mapping[str, int] = {
    "rapid": types.ReleaseChannel.Channel.RAPID,
    "regular": types.ReleaseChannel.Channel.REGULAR,
    "stable": types.ReleaseChannel.Channel.STABLE,
    "extended": types.ReleaseChannel.Channel.EXTENDED,
}


def build_cluster(name: str, project: str, settings: GkeSettings, labels: Mapping[str, str]) -> types.Cluster:
    """The cluster for CreateCluster. GKE copies its labels to the nodes and their disks."""
    cluster = types.Cluster(
        name=name,
        description="Made by mldeploy",
        resource_labels=dict(labels),
        release_channel=types.ReleaseChannel(channel=CHANNELS[settings.release_channel]),
        network=settings.network,
        subnetwork=settings.subnetwork,
        ip_allocation_policy=types.IPAllocationPolicy(use_ip_aliases=True),
        workload_identity_config=types.WorkloadIdentityConfig(workload_pool=f"{project}.svc.id.goog"),
    )
    if settings.is_autopilot:
        cluster.autopilot = types.Autopilot(enabled=True)
        cluster.autoscaling = types.ClusterAutoscaling(
            autoprovisioning_node_pool_defaults=types.AutoprovisioningNodePoolDefaults(
                service_account=settings.node_service_account, oauth_scopes=SCOPES
            )
        )
    else:
        cluster.node_pools = [_node_pool(settings)]
    return cluster


def _node_pool(settings: GkeSettings) -> types.NodePool:
    config = types.NodeConfig(
        machine_type=settings.machine_type,
        disk_type=boot_disk_type(settings.machine_type),
        disk_size_gb=settings.disk_size,
        service_account=settings.node_service_account,
        oauth_scopes=SCOPES,
        workload_metadata_config=types.WorkloadMetadataConfig(mode=types.WorkloadMetadataConfig.Mode.GKE_METADATA),
        shielded_instance_config=types.ShieldedInstanceConfig(
            enable_secure_boot=True, enable_integrity_monitoring=True
        ),
    )
    return types.NodePool(
        name=POOL,
        initial_node_count=settings.count_of_nodes,
        config=config,
        management=types.NodeManagement(auto_upgrade=True, auto_repair=True),
    )
