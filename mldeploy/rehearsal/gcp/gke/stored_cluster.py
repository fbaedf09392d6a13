"""Clusters with the defaults that Kubernetes Engine adds."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from google.cloud import container_v1 as gke

from mldeploy.rehearsal.gcp.artifacts.repositories import wrong_labels
from mldeploy.rehearsal.gcp.compute.api import ComputeResource, boot_disk
from mldeploy.rehearsal.gcp.errors import ApiError, Code
from mldeploy.rehearsal.gcp.gke.control_plane import ControlPlane
from mldeploy.rehearsal.gcp.gke.operations import BASE, current_timestamp
from mldeploy.rehearsal.gcp.project import ProjectLocation, StandInProject

DEFAULT = "e2-medium"
DISK_GIGABYTES = 100
_SHARED = {"e2-micro": (2, 1), "e2-small": (2, 2), "e2-medium": (2, 4), "g1-small": (1, 2), "f1-micro": (1, 1)}
_PER_CPU = {"standard": 4, "highmem": 8, "highcpu": 1}
_FAMILIES = "e2|n1|n2|n2d|n4|c2|c2d|c3|c3d|c4|t2d"
_MACHINE_TYPE = re.compile(rf"(?P<family>{_FAMILIES})-(?P<kind>standard|highmem|highcpu)-(?P<cpus>[1-9][0-9]*)")


@dataclass(frozen=True)
class MachineType:
    """cpus: as counted against the quota. gigabytes: of memory. is_shared: shared-core type."""

    cpus: int
    gigabytes: int
    is_shared: bool = False

    @property
    def room(self) -> tuple[int, int]:
        """Allocatable cores and GiB, rounded down.

        https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes
        """
        reserved = (
            0.25 * min(self.gigabytes, 4) + 0.2 * min(max(self.gigabytes - 4, 0), 4) + 0.1 * max(self.gigabytes - 8, 0)
        )
        return 1 if self.is_shared else self.cpus, max(1, int(self.gigabytes - reserved))


def find_machine_type(name: str) -> MachineType | None:
    """Find a machine type by name. Returns None if there is none."""
    if name in _SHARED:
        return MachineType(*_SHARED[name], is_shared=True)
    parts = _MACHINE_TYPE.fullmatch(name)
    if parts is None:
        return None
    cpus = int(parts["cpus"])
    return MachineType(cpus, cpus * _PER_CPU[parts["kind"]])


VERSION = "1.34.1-gke.1829001"
AUTOPILOT_NODES = 2
_LARGEST = MachineType(30, 110)
"""https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-resource-requests"""
Status, PoolStatus = gke.Cluster.Status, gke.NodePool.Status
Channel = gke.ReleaseChannel.Channel


@dataclass
class StoredCluster:
    """A cluster and its control plane. name: the full name, `projects/…`."""

    name: str
    cluster: gke.Cluster
    plane: ControlPlane | None = None
    surge: int = 0
    """How many nodes an upgrade adds at the moment."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def location(self) -> ProjectLocation:
        return ProjectLocation.of(self.name)

    @property
    def nodes(self) -> int:
        """Number of nodes in all zones. Autopilot's nodes are not visible in the project."""
        if self.cluster.autopilot.enabled:
            return AUTOPILOT_NODES
        return sum(pool.initial_node_count for pool in self.cluster.node_pools) * len(self.cluster.locations)

    @property
    def machine(self) -> MachineType:
        """Machine type of the first node pool. Autopilot provides what pods request."""
        pools = self.cluster.node_pools
        return (find_machine_type(pools[0].config.machine_type) if pools else None) or _LARGEST

    @property
    def account(self) -> str:
        """Service account of its nodes; `default` for the project's."""
        defaults = self.cluster.autoscaling.autoprovisioning_node_pool_defaults
        pools = self.cluster.node_pools
        named = pools[0].config.service_account if pools else defaults.service_account
        return named or "default"

    @property
    def used(self) -> Mapping[str, float]:
        """Usage of its region's quotas."""
        return quota_usage(self.cluster)

    def disks(self) -> Iterator[ComputeResource]:
        """List the boot disks of its nodes."""
        if self.cluster.autopilot.enabled or self.cluster.status == Status.ERROR:
            return
        for pool in self.cluster.node_pools:
            for zone in self.cluster.locations:
                for number in range(pool.initial_node_count):
                    node = f"gke-{self.cluster.name}-{pool.name}-{self.id[:8]}-{number:04}"[:62]
                    labels = {**self.cluster.resource_labels, "goog-gke-node": ""}
                    yield boot_disk(zone, f"{node}{zone[-1]}", labels, pool.config.disk_size_gb)

    def described(self) -> gke.Cluster:
        """Describe it for an API response."""
        described = gke.Cluster(self.cluster)
        if described.status == Status.RUNNING:
            described.current_node_count = 0 if described.autopilot.enabled else self.nodes + self.surge
        return described


def quota_usage(cluster: gke.Cluster) -> dict[str, float]:
    """Return the quota usage of a cluster's nodes. Autopilot's nodes do not count."""
    used = {"CPUS": 0.0, "IN_USE_ADDRESSES": 0.0, "SSD_TOTAL_GB": 0.0}
    for pool in () if cluster.autopilot.enabled else cluster.node_pools:
        nodes = pool.initial_node_count * len(cluster.locations)
        kind = find_machine_type(pool.config.machine_type)
        used["CPUS"] += nodes * (kind.cpus if kind else 0)
        used["IN_USE_ADDRESSES"] += nodes
        is_solid = pool.config.disk_type != "pd-standard"
        used["SSD_TOTAL_GB"] += nodes * pool.config.disk_size_gb if is_solid else 0
    return used


def create_cluster(project: StandInProject, location: ProjectLocation, spec: gke.Cluster) -> StoredCluster:
    """Create a cluster in the state PROVISIONING, with defaults filled in."""
    name = f"projects/{project.id}/locations/{location.location}/clusters/{spec.name}"
    cluster = gke.Cluster(spec)
    cluster.locations = list_zones(location, spec)
    cluster.location = cluster.zone = location.location
    cluster.self_link = f"{BASE}/{name}"
    cluster.network = spec.network or "default"
    cluster.subnetwork = spec.subnetwork or cluster.network
    cluster.create_time, cluster.status = current_timestamp(), Status(Status.PROVISIONING)
    cluster.initial_cluster_version = cluster.current_master_version = cluster.current_node_version = VERSION
    if cluster.release_channel.channel == Channel.UNSPECIFIED:
        cluster.release_channel = gke.ReleaseChannel(channel=Channel.REGULAR)
    if not spec.autopilot.enabled:
        cluster.node_pools = _pools(name, cluster)
    cluster.initial_node_count = 0
    stored = StoredCluster(name, cluster)
    cluster.id = stored.id
    set_labels(cluster, dict(spec.resource_labels))
    return stored


def set_labels(cluster: gke.Cluster, labels: Mapping[str, str]) -> None:
    """Set the labels and a new fingerprint. The next change must send this fingerprint."""
    cluster.resource_labels = dict(labels)
    cluster.label_fingerprint = uuid.uuid4().hex[:8]


def _pools(name: str, spec: gke.Cluster) -> list[gke.NodePool]:
    usual = gke.NodePool(name="default-pool", initial_node_count=spec.initial_node_count, config=spec.node_config)
    pools = [gke.NodePool(each) for each in spec.node_pools] or [usual]
    for pool in pools:
        config = pool.config
        config.machine_type = config.machine_type or DEFAULT
        config.disk_size_gb = config.disk_size_gb or DISK_GIGABYTES
        config.disk_type = config.disk_type or "pd-balanced"
        config.service_account = config.service_account or "default"
        pool.version, pool.status = VERSION, PoolStatus(PoolStatus.PROVISIONING)
        pool.self_link = f"{BASE}/{name}/nodePools/{pool.name}"
        pool.locations = list(spec.locations)
    return pools


ZONES = "abcf"
"""Zone letters of us-central1, used for all regions."""
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
_LEAST_DISK, _MOST_NODES = 10, 1000


def check_cluster(project: StandInProject, location: ProjectLocation, cluster: gke.Cluster) -> None:
    """Raise ApiError (INVALID_ARGUMENT) for an invalid cluster."""
    for what in (*_everywhere(project, location, cluster), *_mode(location, cluster)):
        raise ApiError(Code.INVALID_ARGUMENT, what)


def list_zones(location: ProjectLocation, cluster: gke.Cluster) -> list[str]:
    """List the zones of its nodes. A regional cluster has the same number of nodes in three zones."""
    if cluster.locations:
        return list(cluster.locations)
    return [f"{location.location}-{letter}" for letter in ZONES[:3]] if location.is_region else [location.location]


def _everywhere(project: StandInProject, location: ProjectLocation, cluster: gke.Cluster) -> Iterator[str]:
    if not location.is_region and location.location[-2:] not in [f"-{letter}" for letter in ZONES]:
        yield f'Location "{location.location}" does not exist.'
    if not _NAME.fullmatch(cluster.name):
        yield f'Invalid value for field "cluster.name": "{cluster.name}". It must match {_NAME.pattern}.'
    for zone in cluster.locations:
        if not zone.startswith(f"{location.region}-"):
            yield f'Specified location "{zone}" is not a valid zone of {location.region}.'
    pool = cluster.workload_identity_config.workload_pool
    if pool not in ("", f"{project.id}.svc.id.goog"):
        yield f'Currently, the only supported identity namespace is "{project.id}.svc.id.goog", not "{pool}".'
    yield from wrong_labels(cluster.resource_labels)


def _mode(location: ProjectLocation, cluster: gke.Cluster) -> Iterator[str]:
    if not cluster.autopilot.enabled:
        yield from _standard(cluster)
        return
    if not location.is_region:
        yield "Autopilot clusters must be regional clusters."
    if cluster.initial_node_count:
        yield "Cluster.initial_node_count must not be set for Autopilot clusters."
    if cluster.node_pools or "node_config" in cluster:
        yield "Node pools and node configurations cannot be specified for Autopilot clusters: Google manages the nodes."
    account = cluster.autoscaling.autoprovisioning_node_pool_defaults.service_account
    yield from _account(account)


def _standard(cluster: gke.Cluster) -> Iterator[str]:
    if cluster.node_pools and (cluster.initial_node_count or "node_config" in cluster):
        yield "Cluster.initial_node_count and Cluster.node_config must not be specified if Cluster.node_pools is."
    if not cluster.node_pools and cluster.initial_node_count < 1:
        yield "Cluster.initial_node_count must be greater than zero."
    yield from wrong_count(cluster.initial_node_count)
    names = [pool.name for pool in cluster.node_pools]
    if len(set(names)) < len(names):
        yield "Node pools must have names of their own."
    if cluster.node_pools and not any(pool.initial_node_count for pool in cluster.node_pools):
        yield "At least one node pool must have a node."
    for pool in cluster.node_pools:
        if not _NAME.fullmatch(pool.name):
            yield f'Invalid value for field "node_pool.name": "{pool.name}". It must match {_NAME.pattern}.'
        yield from wrong_count(pool.initial_node_count)
        yield from _config(pool.config)
    yield from _config(cluster.node_config)


def wrong_count(count: int) -> Iterator[str]:
    """Return errors in a number of nodes per zone."""
    if not 0 <= count <= _MOST_NODES:
        yield f"The number of nodes in a zone must be between 0 and {_MOST_NODES}, and not {count}."


def _config(config: gke.NodeConfig) -> Iterator[str]:
    if config.machine_type and find_machine_type(config.machine_type) is None:
        yield f'Machine type with name "{config.machine_type}" does not exist.'
    if config.disk_size_gb and config.disk_size_gb < _LEAST_DISK:
        yield f"The boot disk must have at least {_LEAST_DISK} GB, and not {config.disk_size_gb}."
    yield from _account(config.service_account)


def _account(account: str) -> Iterator[str]:
    if account not in ("", "default") and not account.endswith(".gserviceaccount.com"):
        yield f'Service account "{account}" does not exist.'
