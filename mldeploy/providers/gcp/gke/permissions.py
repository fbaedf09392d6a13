"""The IAM permissions of each API call of a deployment, including those of the cluster's API.

https://cloud.google.com/kubernetes-engine/docs/reference/api-permissions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from mldeploy.providers.gcp.permissions import PUSH_PERMISSIONS
from mldeploy.providers.kubernetes.api import HTTP_ROUTE, ObjectType
from mldeploy.providers.kubernetes.permissions import NAMESPACE_RULES, RULES, RbacRule

_VERBS: Mapping[str, str] = {"watch": "list", "patch": "update"}
"""IAM's names of verbs of RBAC. Server-side apply is a patch, and a creation of what does not exist."""
_PARTS: Mapping[str, str] = {"log": "getLogs", "exec": "exec", "portforward": "portForward"}
"""IAM has one permission for a subresource of pods."""


def _kubernetes_permissions() -> Iterator[str]:
    """What the Role for the target `kubernetes` allows, in IAM's names."""
    yield "container.clusters.connect"  # a call to a DNS endpoint
    for rule in (*RULES, *NAMESPACE_RULES):
        yield from (f"container.{_resource(rule.kind)}.{verb}" for verb in _iam_verbs(rule))


def _iam_verbs(rule: RbacRule) -> Iterator[str]:
    if rule.part:
        yield _PARTS[rule.part]
    else:
        yield from (_VERBS.get(verb, verb) for verb in rule.verbs)


def _resource(kind: ObjectType) -> str:
    """`horizontalPodAutoscalers`: the kind in camel case, with the plural's ending."""
    if kind is HTTP_ROUTE:
        return "thirdPartyObjects"
    return f"{kind.kind[0].lower()}{kind.kind[1:]}{kind.plural[len(kind.kind) :]}"


DEPLOY_PERMISSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **PUSH_PERMISSIONS,
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
        "compute/regions": ("compute.regions.get",),
        "compute/forwardingRules": ("compute.forwardingRules.list",),
        "compute/disks": ("compute.disks.list",),
        "resourcemanager/getIamPolicy": ("resourcemanager.projects.getIamPolicy",),
        "kubernetes": tuple(dict.fromkeys(_kubernetes_permissions())),
    }
)
"""By call."""
