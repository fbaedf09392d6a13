"""Delete a cluster: its load balancers, the cluster, and a check for billed resources that remain.

https://cloud.google.com/kubernetes-engine/docs/how-to/deleting-a-cluster
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from google.api_core import exceptions as api
from google.cloud.container_v1 import types

from mldeploy.core.errors import LeftoversError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key
from mldeploy.providers.gcp.calls import call, wait_until_gone
from mldeploy.providers.gcp.errors import DisabledError, gcp_errors
from mldeploy.providers.gcp.gcloud import to_region
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.clusters import ClusterState, cluster_path, find_cluster, list_clusters, where
from mldeploy.providers.gcp.rest import RestDocument
from mldeploy.providers.gcp.settings import APP
from mldeploy.providers.kubernetes.api import SERVICE, KubeClient
from mldeploy.providers.kubernetes.documents import Document, name_of, text
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.steps.exposure import KubernetesService

if TYPE_CHECKING:
    from mldeploy.providers.gcp.gke.cloud import GkeCloud

GONE_SECONDS = 1800.0


def remove_cluster(cloud: GkeCloud, name: str, monitor: Monitor) -> bool:
    """Delete the app's cluster. Returns whether it existed.

    Raises LeftoversError if billed resources remain, or if the cluster contains load balancers of others.
    """
    existing = find_cluster(cloud, name)
    if existing is not None and existing.missing_labels(cloud.app):
        return False
    if existing is not None:
        _delete_load_balancers(cloud, name, monitor)
        delete_cluster(cloud, name, monitor)
    check_leftovers(cloud, name, monitor)
    return existing is not None


def delete_cluster(cloud: GkeCloud, name: str, monitor: Monitor) -> None:
    """Delete the cluster and wait. Raises LeftoversError at the deadline."""
    monitor.progress(Progress("", "deleting the cluster, which takes minutes"))
    wait_until_gone(monitor, where(name), lambda: _request_deletion(cloud, name), GONE_SECONDS)


def _delete_load_balancers(cloud: GkeCloud, name: str, monitor: Monitor) -> None:
    """Delete the load balancers first: without their cluster they would remain and be billed."""
    kube = cloud.kube((name,))
    if kube is None:
        return
    services = _list_load_balancers(kube, name)
    if others := [each for each in services if not cloud.owner.owns(each)]:
        names = ", ".join(f"{text(each, 'metadata', 'namespace')}/{name_of(each)}" for each in others)
        todo = "Delete them first (`kubectl delete service`), or keep the cluster."
        raise LeftoversError(where(name), f"it contains load balancers of others, which would remain: {names}", todo)
    for each in services:
        KubernetesService.undo(cloud, Key(name_of(each), (name, text(each, "metadata", "namespace"))), monitor)


def _list_load_balancers(kube: KubeClient, name: str) -> list[Document]:
    with kubernetes_errors(where(name)):
        existing = kube.list(SERVICE).items
    return [each for each in existing if text(each, "spec", "type") == "LoadBalancer"]


def _request_deletion(cloud: GkeCloud, name: str) -> bool:
    """Request the deletion unless another operation is running. Returns whether the cluster is deleted."""
    existing = find_cluster(cloud, name)
    if existing is None or existing.state is ClusterState.GOING:
        return existing is None
    with gcp_errors(where(name), "container.clusters.delete"):
        try:
            request = types.DeleteClusterRequest(name=cluster_path(cloud, name))
            call(cloud.account.identity, cloud.clusters.delete_cluster, request)
        except api.NotFound:
            return True  # deleted by an earlier attempt
        except api.FailedPrecondition:
            return False  # another operation is running
    return False


SERVICE_KEYS = ("networking.gke.io/service-name", "kubernetes.io/service-name", "kubernetes.io/ingress-name")
"""Keys in a forwarding rule's description under which GKE stores the Service: `namespace/name`.

The first one is today's, the second one that of load balancers with a target pool: L4ILBServiceDescKey in
https://github.com/kubernetes/ingress-gce/blob/master/pkg/utils/utils.go
"""
CLUSTER_LABEL = "goog-k8s-cluster-name"
"""The label of disks that GKE creates for a cluster's volumes."""


def check_leftovers(cloud: GkeCloud, cluster: str, monitor: Monitor) -> None:
    """Check for billed resources of a deleted cluster.

    Raises LeftoversError with each of them. Load balancers that may belong to another cluster are only noted, because
    a forwarding rule names its Service, but not its cluster.
    """
    try:
        rules = [each for each in cloud.compute.forwarding_rules() if _is_rule_of(cloud, each)]
        disks = [each for each in cloud.compute.disks() if _labels(each).get(CLUSTER_LABEL) == cluster]
    except DisabledError:
        return  # without Compute Engine nothing can remain
    if rules and _has_neighbours(cloud):
        names = ", ".join(str(each.get("name")) for each in rules)
        monitor.note(
            f"These load balancers may remain from the cluster, or belong to another one: {names}", warning=True
        )
        rules = []
    lines = [*_lines("forwarding-rules", rules), *_lines("disks", disks)]
    if lines:
        todo = f"Delete them, then run `mldeploy destroy` again:\n{chr(10).join(lines)}"
        raise LeftoversError(where(cluster), "is deleted, but some of its resources remain and are billed", todo)


def _is_rule_of(cloud: GkeCloud, rule: RestDocument) -> bool:
    """Whether the rule has the app's label or belongs to the app's Service."""
    if _location(rule) not in (cloud.account.region, "global"):
        return False
    if _labels(rule).get(APP) == cloud.app:
        return True
    try:
        about = json.loads(str(rule.get("description") or "{}"))
    except ValueError:
        return False
    made_for = (str(about.get(key, "")) for key in SERVICE_KEYS) if isinstance(about, dict) else ()
    return any(each.rpartition("/")[2] == cloud.app for each in made_for)


def _has_neighbours(cloud: GkeCloud) -> bool:
    return any(to_region(each.location) == cloud.account.region for each in list_clusters(cloud))


def _lines(kind: str, things: list[RestDocument]) -> Iterator[str]:
    for each in things:
        location = _location(each)
        flag = (
            "--global"
            if location == "global"
            else f"--{'region' if location == to_region(location) else 'zone'} {location}"
        )
        yield f"  gcloud compute {kind} delete {each.get('name')} {flag}"


def _location(thing: RestDocument) -> str:
    """The last part of the URL of its region or zone."""
    return str(thing.get("region") or thing.get("zone") or "global").rpartition("/")[2]


def _labels(thing: RestDocument) -> dict[str, str]:
    existing = thing.get("labels")
    return {str(key): str(value) for key, value in existing.items()} if isinstance(existing, dict) else {}
