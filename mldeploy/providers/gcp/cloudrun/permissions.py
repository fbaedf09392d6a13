"""The IAM permissions of each API call of a deployment on Cloud Run.

https://cloud.google.com/run/docs/reference/iam/permissions
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mldeploy.providers.gcp.permissions import PUSH_PERMISSIONS

RUN_PERMISSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **PUSH_PERMISSIONS,
        "Services/GetService": ("run.services.get",),
        "Services/CreateService": ("run.services.create", "iam.serviceAccounts.actAs"),
        "Services/UpdateService": ("run.services.update",),
        "Services/DeleteService": ("run.services.delete",),
        "Services/GetIamPolicy": ("run.services.getIamPolicy",),
        "Services/SetIamPolicy": ("run.services.setIamPolicy",),
        "Services/ListServices": ("run.services.list",),
        "Revisions/GetRevision": ("run.revisions.get",),
        "Revisions/ListRevisions": ("run.revisions.list",),
        "Revisions/DeleteRevision": ("run.revisions.delete",),
        "https://….run.app": ("run.routes.invoke",),
        "iam/serviceAccounts": (
            "iam.serviceAccounts.create",
            "iam.serviceAccounts.delete",
            "iam.serviceAccounts.get",
        ),
        "SecretManagerService/ListSecrets": ("secretmanager.secrets.list",),
        "SecretManagerService/GetSecret": ("secretmanager.secrets.get",),
        "SecretManagerService/GetSecretVersion": ("secretmanager.versions.get",),
        "SecretManagerService/DeleteSecret": ("secretmanager.secrets.delete",),
        "SecretManagerService/GetIamPolicy": ("secretmanager.secrets.getIamPolicy",),
        "SecretManagerService/SetIamPolicy": ("secretmanager.secrets.setIamPolicy",),
        "LoggingServiceV2/ListLogEntries": ("logging.logEntries.list",),
    }
)
"""By call. `https://….run.app`: requests to a service, or to the URL of a tag, that is not public."""

STORE_PERMISSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "SecretManagerService/CreateSecret": ("secretmanager.secrets.create",),
        "SecretManagerService/UpdateSecret": ("secretmanager.secrets.update",),
        "SecretManagerService/AddSecretVersion": ("secretmanager.versions.add",),
        "SecretManagerService/AccessSecretVersion": ("secretmanager.versions.access",),
    }
)
"""Additional calls of `mldeploy secrets` and of access keys. A deployment alone reads no value."""
