"""What each call of the target needs, those of the cluster's own API among them: IAM decides of these, too.

https://cloud.google.com/kubernetes-engine/docs/how-to/iam: what RBAC calls `patch deployments` is
`container.deployments.update` there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from mldeploy.providers.gcp.permissions import PUSHING

OBJECTS = (
    "configMaps",
    "deployments",
    "horizontalPodAutoscalers",
    "ingresses",
    "namespaces",
    "podDisruptionBudgets",
    "pods",
    "secrets",
    "services",
    "thirdPartyObjects",
)
"""What is made in the cluster. Of what IAM calls third-party objects, routes of the Gateway API."""
LOOKED_AT = ("events", "persistentVolumeClaims", "replicaSets")


def _objects() -> Iterable[str]:
    for kind in OBJECTS:
        yield from (f"container.{kind}.{verb}" for verb in ("create", "delete", "get", "list", "update"))
    for kind in LOOKED_AT:
        yield from (f"container.{kind}.{verb}" for verb in ("get", "list"))
    yield from ("container.pods.exec", "container.pods.getLogs", "container.pods.portForward")


DEPLOYING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **PUSHING,
        "ArtifactRegistry/GetIamPolicy": ("artifactregistry.repositories.getIamPolicy",),
        "ArtifactRegistry/SetIamPolicy": ("artifactregistry.repositories.setIamPolicy",),
        "ClusterManager/GetCluster": ("container.clusters.get",),
        "ClusterManager/ListClusters": ("container.clusters.list",),
        "ClusterManager/CreateCluster": ("container.clusters.create", "iam.serviceAccounts.actAs"),
        "ClusterManager/UpdateCluster": ("container.clusters.update",),
        "ClusterManager/SetNodePoolSize": ("container.clusters.update",),
        "ClusterManager/DeleteCluster": ("container.clusters.delete",),
        "ClusterManager/GetOperation": ("container.operations.get",),
        "compute/projects": ("compute.projects.get",),
        "compute/forwardingRules": ("compute.forwardingRules.list",),
        "compute/disks": ("compute.disks.list",),
        "kubernetes": tuple(_objects()),
    }
)
