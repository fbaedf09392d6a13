"""The IAM permissions of each API call of a push and of the doctor.

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
        "ServiceUsage/BatchGetServices": ("serviceusage.services.get",),
        "ServiceUsage/BatchEnableServices": ("serviceusage.services.enable",),
        "resourcemanager/testIamPermissions": (),
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
