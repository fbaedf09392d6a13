"""What Kubernetes Engine refuses of a cluster.

https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.cloud import container_v1 as gke

from mldeploy.rehearsal.gcp.artifacts.checks import wrong_labels
from mldeploy.rehearsal.gcp.gke.machines import machine
from mldeploy.rehearsal.gcp.project import Place, Project
from mldeploy.rehearsal.gcp.refusals import ApiError, Code

ZONES = "abcf"
"""The letters of us-central1's zones; the other regions are played with them, too."""
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
_LEAST_DISK, _MOST_NODES = 10, 1000


def check(project: Project, place: Place, cluster: gke.Cluster) -> None:
    """Raises ApiError (INVALID_ARGUMENT) for a cluster that cannot be made there."""
    for what in (*_everywhere(project, place, cluster), *_mode(place, cluster)):
        raise ApiError(Code.INVALID_ARGUMENT, what)


def zones(place: Place, cluster: gke.Cluster) -> list[str]:
    """Where its nodes are: a cluster in a region has as many in each of three zones."""
    if cluster.locations:
        return list(cluster.locations)
    return [f"{place.location}-{letter}" for letter in ZONES[:3]] if place.is_region else [place.location]


def _everywhere(project: Project, place: Place, cluster: gke.Cluster) -> Iterator[str]:
    if not place.is_region and place.location[-2:] not in [f"-{letter}" for letter in ZONES]:
        yield f'Location "{place.location}" does not exist.'
    if not _NAME.fullmatch(cluster.name):
        yield f'Invalid value for field "cluster.name": "{cluster.name}". It must match {_NAME.pattern}.'
    for zone in cluster.locations:
        if not zone.startswith(f"{place.region}-"):
            yield f'Specified location "{zone}" is not a valid zone of {place.region}.'
    if cluster.network not in ("", "default"):
        yield f'Network "{cluster.network}" does not exist.'
    pool = cluster.workload_identity_config.workload_pool
    if pool not in ("", f"{project.id}.svc.id.goog"):
        yield f'Currently, the only supported identity namespace is "{project.id}.svc.id.goog", not "{pool}".'
    yield from wrong_labels(cluster.resource_labels)


def _mode(place: Place, cluster: gke.Cluster) -> Iterator[str]:
    if not cluster.autopilot.enabled:
        yield from _standard(cluster)
        return
    if not place.is_region:
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
    """What is wrong with a number of nodes in each zone."""
    if not 0 <= count <= _MOST_NODES:
        yield f"The number of nodes in a zone must be between 0 and {_MOST_NODES}, and not {count}."


def _config(config: gke.NodeConfig) -> Iterator[str]:
    if config.machine_type and machine(config.machine_type) is None:
        yield f'Machine type with name "{config.machine_type}" does not exist.'
    if config.disk_size_gb and config.disk_size_gb < _LEAST_DISK:
        yield f"The boot disk must have at least {_LEAST_DISK} GB, and not {config.disk_size_gb}."
    yield from _account(config.service_account)


def _account(account: str) -> Iterator[str]:
    if account not in ("", "default") and not account.endswith(".gserviceaccount.com"):
        yield f'Service account "{account}" does not exist.'
