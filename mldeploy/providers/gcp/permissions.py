"""What each call needs: the least that IAM can be told to allow.

https://cloud.google.com/iam/docs/permissions-reference, and each method's page in the API's reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

_AR = "artifactregistry"

PUSHING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ArtifactRegistry/GetRepository": (f"{_AR}.repositories.get",),
        "ArtifactRegistry/ListRepositories": (f"{_AR}.repositories.list",),
        "ArtifactRegistry/CreateRepository": (f"{_AR}.repositories.create",),
        "ArtifactRegistry/UpdateRepository": (f"{_AR}.repositories.update",),
        "ArtifactRegistry/DeleteRepository": (f"{_AR}.repositories.delete",),
        "ArtifactRegistry/ListDockerImages": (f"{_AR}.dockerimages.list",),
        "Operations/GetOperation": (),
        "docker push": (
            f"{_AR}.repositories.downloadArtifacts",
            f"{_AR}.repositories.uploadArtifacts",
            f"{_AR}.tags.create",
            f"{_AR}.tags.get",
            f"{_AR}.tags.update",
        ),
    }
)
"""By call. `docker push`: what the registry itself asks for, which is no call of the API."""

EXAMINING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "compute/regions": ("compute.regions.get",),
        "ServiceUsage/BatchGetServices": ("serviceusage.services.get",),
        "ServiceUsage/BatchEnableServices": ("serviceusage.services.enable",),
        "resourcemanager/testIamPermissions": ("resourcemanager.projects.get",),
    }
)
"""What the doctor calls besides."""


def policy(calls: Mapping[str, tuple[str, ...]]) -> Mapping[str, object]:
    """A custom role: `gcloud iam roles create mldeploy --project PROJECT --file FILE`.

    https://cloud.google.com/iam/docs/reference/rest/v1/projects.roles#Role
    """
    return {
        "title": "mldeploy",
        "description": "What mldeploy calls to bring an app to Google Cloud and to take it away again",
        "stage": "GA",
        "includedPermissions": named((*calls.values(), *EXAMINING.values())),
    }


def named(needs: Iterable[tuple[str, ...]]) -> list[str]:
    """Each permission once, in order."""
    return sorted({permission for each in needs for permission in each})
