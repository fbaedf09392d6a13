"""The IAM permissions of each API call, including the cluster's API.

https://cloud.google.com/iam/docs/permissions-reference, and each method's page in the API's reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

_AR = "artifactregistry"

PUSH_PERMISSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ArtifactRegistry/GetRepository": (f"{_AR}.repositories.get",),
        "ArtifactRegistry/ListRepositories": (f"{_AR}.repositories.list",),
        "ArtifactRegistry/CreateRepository": (f"{_AR}.repositories.create",),
        "ArtifactRegistry/UpdateRepository": (f"{_AR}.repositories.update",),
        "ArtifactRegistry/DeleteRepository": (f"{_AR}.repositories.delete",),
        "ArtifactRegistry/ListDockerImages": (f"{_AR}.dockerimages.list",),
        "Operations/GetOperation": (),
        "x-goog-user-project": ("serviceusage.services.use",),
        "docker push": (
            f"{_AR}.repositories.downloadArtifacts",
            f"{_AR}.repositories.uploadArtifacts",
            f"{_AR}.tags.create",
            f"{_AR}.tags.get",
            f"{_AR}.tags.update",
        ),
    }
)
"""By call. `docker push`: the permissions that the registry checks.

`x-goog-user-project`: a header of every call with a user's credentials. It names the project whose quota is used.
https://cloud.google.com/docs/quotas/quota-project
"""

DOCTOR_PERMISSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "compute/regions": ("compute.regions.get",),
        "ServiceUsage/BatchGetServices": ("serviceusage.services.get",),
        "ServiceUsage/BatchEnableServices": ("serviceusage.services.enable",),
        "resourcemanager/testIamPermissions": ("resourcemanager.projects.get",),
    }
)
"""Additional calls of `mldeploy doctor`."""


def build_role(calls: Mapping[str, tuple[str, ...]]) -> Mapping[str, object]:
    """A custom role: `gcloud iam roles create mldeploy --project PROJECT --file FILE`.

    https://cloud.google.com/iam/docs/reference/rest/v1/projects.roles#Role
    """
    return {
        "title": "mldeploy",
        "description": "The permissions that mldeploy needs to deploy and destroy an app on Google Cloud",
        "stage": "GA",
        "includedPermissions": unique_permissions((*calls.values(), *DOCTOR_PERMISSIONS.values())),
    }


def unique_permissions(needs: Iterable[tuple[str, ...]]) -> list[str]:
    """The permissions without duplicates, sorted."""
    return sorted({permission for each in needs for permission in each})


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
"""Object kinds that mldeploy creates. `thirdPartyObjects` are routes of the Gateway API."""
READ_ONLY_OBJECTS = ("events", "persistentVolumeClaims", "replicaSets")
UPDATED_OBJECTS = ("replicaSets",)
"""Their annotations: versions that could not serve."""


def _objects() -> Iterable[str]:
    for kind in OBJECTS:
        yield from (f"container.{kind}.{verb}" for verb in ("create", "delete", "get", "list", "update"))
    for kind in READ_ONLY_OBJECTS:
        yield from (f"container.{kind}.{verb}" for verb in ("get", "list"))
    yield from (f"container.{kind}.update" for kind in UPDATED_OBJECTS)
    yield "container.clusters.connect"  # a call to a DNS endpoint
    yield from ("container.pods.exec", "container.pods.getLogs", "container.pods.portForward")


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
        "compute/forwardingRules": ("compute.forwardingRules.list",),
        "compute/disks": ("compute.disks.list",),
        "resourcemanager/getIamPolicy": ("resourcemanager.projects.getIamPolicy",),
        "kubernetes": tuple(_objects()),
    }
)
