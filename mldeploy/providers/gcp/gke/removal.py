"""Removing a cluster: its load balancers first, then it, then a look for what has outlived it."""

from __future__ import annotations

from google.api_core import exceptions as api
from google.cloud.container_v1 import types

from mldeploy.core.errors import LeftoversError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key
from mldeploy.providers.gcp.calls import call
from mldeploy.providers.gcp.errors import gcp_errors
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.clusters import State, find, path, where
from mldeploy.providers.gcp.gke.leftovers import check
from mldeploy.providers.gcp.waiting import until_gone
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.reading import Document, name_of, text
from mldeploy.providers.kubernetes.steps.exposure import Service
from mldeploy.providers.kubernetes.types import SERVICE

GONE_SECONDS = 1800.0


def removed(cloud: GkeCloud, name: str, monitor: Monitor) -> bool:
    """Whether there was a cluster of ours; it is gone once this returns, and nothing that is billed is left of it.

    Raises LeftoversError if there is, or if load balancers of others in it would be left.
    """
    found = find(cloud, name)
    if found is not None and found.missing(cloud.app):
        return False
    if found is not None:
        _release(cloud, name, monitor)
        gone(cloud, name, monitor)
    check(cloud, name, monitor)
    return found is not None


def gone(cloud: GkeCloud, name: str, monitor: Monitor) -> None:
    """Remove it, and return once it is. Raises LeftoversError at the deadline."""
    monitor.progress(Progress("", "deleting the cluster; that takes minutes"))
    until_gone(monitor, where(name), lambda: _deleted(cloud, name), GONE_SECONDS)


def _release(cloud: GkeCloud, name: str, monitor: Monitor) -> None:
    """A load balancer whose cluster is gone stays, and is billed: whoever made it has gone with the cluster."""
    kube = cloud.kube((name,))
    if kube is None:
        return
    services = _balanced(kube, name)
    if others := [each for each in services if not cloud.owner.owns(each)]:
        names = ", ".join(f"{text(each, 'metadata', 'namespace')}/{name_of(each)}" for each in others)
        todo = "Delete them first (`kubectl delete service`), or keep the cluster: then they are yours."
        raise LeftoversError(where(name), f"others have load balancers in it, which would be left: {names}", todo)
    for each in services:
        Service.undo(cloud, Key(name_of(each), (name, text(each, "metadata", "namespace"))), monitor)


def _balanced(kube: Kube, name: str) -> list[Document]:
    with kubernetes_errors(where(name)):
        found = kube.list(SERVICE).items
    return [each for each in found if text(each, "spec", "type") == "LoadBalancer"]


def _deleted(cloud: GkeCloud, name: str) -> bool:
    """Order it, unless something else is still being done to the cluster, and say whether it is gone."""
    found = find(cloud, name)
    if found is None or found.state is State.GOING:
        return found is None
    with gcp_errors(where(name), "container.clusters.delete"):
        try:
            request = types.DeleteClusterRequest(name=path(cloud, name))
            call(cloud.account.identity, cloud.clusters.delete_cluster, request)
        except api.NotFound:
            return True  # the answer to an earlier attempt was lost
        except api.FailedPrecondition:
            return False  # it is still being made, or changed
    return False
