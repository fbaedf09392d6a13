"""A cluster as Kubernetes Engine describes it: what was asked for, and what it fills in."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from google.cloud import container_v1 as gke

from mldeploy.rehearsal.gcp.compute.things import Piece, boot_disk
from mldeploy.rehearsal.gcp.gke.checks import zones
from mldeploy.rehearsal.gcp.gke.machines import DEFAULT, DISK_GIGABYTES, Machine, machine
from mldeploy.rehearsal.gcp.gke.operations import BASE, stamp
from mldeploy.rehearsal.gcp.gke.plane import Plane
from mldeploy.rehearsal.gcp.project import Place, Project

VERSION = "1.34.1-gke.1829001"
AUTOPILOT_NODES = 2
_LARGEST = Machine(30, 110)
"""https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-resource-requests"""
Status, PoolStatus = gke.Cluster.Status, gke.NodePool.Status
Channel = gke.ReleaseChannel.Channel


@dataclass
class Kept:
    """A cluster with what stands behind it. name: all of it, `projects/…`."""

    name: str
    cluster: gke.Cluster
    plane: Plane | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def place(self) -> Place:
        return Place.of(self.name)

    @property
    def nodes(self) -> int:
        """All of them, in all zones. Those of Autopilot are Google's: nobody sees them in the project."""
        if self.cluster.autopilot.enabled:
            return AUTOPILOT_NODES
        return sum(pool.initial_node_count for pool in self.cluster.node_pools) * len(self.cluster.locations)

    @property
    def machine(self) -> Machine:
        """Of its first nodes. Autopilot brings whatever a pod asks for."""
        pools = self.cluster.node_pools
        return (machine(pools[0].config.machine_type) if pools else None) or _LARGEST

    @property
    def account(self) -> str:
        """Of its nodes; `default` for the project's."""
        defaults = self.cluster.autoscaling.autoprovisioning_node_pool_defaults
        pools = self.cluster.node_pools
        named = pools[0].config.service_account if pools else defaults.service_account
        return named or "default"

    @property
    def used(self) -> Mapping[str, float]:
        """What it takes of its region's quotas."""
        return taken(self.cluster)

    def disks(self) -> Iterator[Piece]:
        """Of its nodes, which exist as soon as they do."""
        if self.cluster.autopilot.enabled or self.cluster.status == Status.ERROR:
            return
        for pool in self.cluster.node_pools:
            for zone in self.cluster.locations:
                for number in range(pool.initial_node_count):
                    node = f"gke-{self.cluster.name}-{pool.name}-{self.id[:8]}-{number:04}"[:62]
                    labels = {**self.cluster.resource_labels, "goog-gke-node": ""}
                    yield boot_disk(zone, f"{node}{zone[-1]}", labels, pool.config.disk_size_gb)

    def described(self) -> gke.Cluster:
        """For an answer."""
        described = gke.Cluster(self.cluster)
        if described.status == Status.RUNNING:
            described.current_node_count = 0 if described.autopilot.enabled else self.nodes
        return described


def taken(cluster: gke.Cluster) -> dict[str, float]:
    """What a standard cluster's nodes take of a region's quotas; Autopilot's are not the project's."""
    used = {"CPUS": 0.0, "IN_USE_ADDRESSES": 0.0, "SSD_TOTAL_GB": 0.0}
    for pool in () if cluster.autopilot.enabled else cluster.node_pools:
        nodes = pool.initial_node_count * len(cluster.locations)
        kind = machine(pool.config.machine_type)
        used["CPUS"] += nodes * (kind.cpus if kind else 0)
        used["IN_USE_ADDRESSES"] += nodes
        is_solid = pool.config.disk_type != "pd-standard"
        used["SSD_TOTAL_GB"] += nodes * pool.config.disk_size_gb if is_solid else 0
    return used


def filled(project: Project, place: Place, asked: gke.Cluster) -> Kept:
    """A cluster that begins to be made."""
    name = f"projects/{project.id}/locations/{place.location}/clusters/{asked.name}"
    cluster = gke.Cluster(asked)
    cluster.locations = zones(place, asked)
    cluster.location = cluster.zone = place.location
    cluster.self_link = f"{BASE}/{name}"
    cluster.network, cluster.subnetwork = asked.network or "default", asked.subnetwork or "default"
    cluster.create_time, cluster.status = stamp(), Status(Status.PROVISIONING)
    cluster.initial_cluster_version = cluster.current_master_version = cluster.current_node_version = VERSION
    if cluster.release_channel.channel == Channel.UNSPECIFIED:
        cluster.release_channel = gke.ReleaseChannel(channel=Channel.REGULAR)
    if not asked.autopilot.enabled:
        cluster.node_pools = _pools(name, cluster)
    cluster.initial_node_count = 0
    kept = Kept(name, cluster)
    cluster.id = kept.id
    labelled(cluster, dict(asked.resource_labels))
    return kept


def labelled(cluster: gke.Cluster, labels: Mapping[str, str]) -> None:
    """Give it other labels. Whoever changes them must have seen the ones before, by this fingerprint."""
    cluster.resource_labels = dict(labels)
    cluster.label_fingerprint = uuid.uuid4().hex[:8]


def _pools(name: str, asked: gke.Cluster) -> list[gke.NodePool]:
    usual = gke.NodePool(name="default-pool", initial_node_count=asked.initial_node_count, config=asked.node_config)
    pools = [gke.NodePool(each) for each in asked.node_pools] or [usual]
    for pool in pools:
        config = pool.config
        config.machine_type = config.machine_type or DEFAULT
        config.disk_size_gb = config.disk_size_gb or DISK_GIGABYTES
        config.disk_type = config.disk_type or "pd-balanced"
        config.service_account = config.service_account or "default"
        pool.version, pool.status = VERSION, PoolStatus(PoolStatus.PROVISIONING)
        pool.self_link = f"{BASE}/{name}/nodePools/{pool.name}"
        pool.locations = list(asked.locations)
    return pools
