"""What the caller may do in a project, and which roles others have in it: the Resource Manager API.

https://cloud.google.com/resource-manager/reference/rest/v1/projects
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mldeploy.providers.gcp.account import GcpProject
from mldeploy.providers.gcp.rest import GoogleRestClient

PUBLIC_URL = "https://cloudresourcemanager.googleapis.com"
SERVICE = "resourcemanager"
"""The name of this API in `Endpoints`, for stand-ins."""
BATCH_SIZE = 100


def list_missing_permissions(account: GcpProject, permissions: Sequence[str]) -> tuple[str, ...]:
    """The permissions that the credentials lack in the project. Raises DisabledError, DeniedError, GcpError.

    https://cloud.google.com/iam/docs/testing-permissions
    """
    rest = _client(account, f"permissions in {account.project}")
    granted: set[str] = set()
    for batch in _batches(permissions):
        response = rest.post(
            f"{_path(account)}:testIamPermissions", "resourcemanager.projects.get", {"permissions": batch}
        )
        known = response.get("permissions")
        granted |= {str(each) for each in known} if isinstance(known, list) else set()
    return tuple(each for each in permissions if each not in granted)


def list_roles(account: GcpProject, service_account: str) -> frozenset[str]:
    """The roles that a service account has in the project itself, without conditions and inherited ones.

    Raises DisabledError, DeniedError, GcpError.
    """
    rest = _client(account, f"roles in {account.project}")
    body = {"options": {"requestedPolicyVersion": 3}}
    response = rest.post(f"{_path(account)}:getIamPolicy", "resourcemanager.projects.getIamPolicy", body)
    bindings = response.get("bindings")
    member = f"serviceAccount:{service_account}"
    return frozenset(
        str(each.get("role"))
        for each in (bindings if isinstance(bindings, list) else ())
        if member in each.get("members", ()) and not each.get("condition")
    )


def _client(account: GcpProject, where: str) -> GoogleRestClient:
    return GoogleRestClient(account, account.endpoints.service(SERVICE) or PUBLIC_URL, where)


def _path(account: GcpProject) -> str:
    return f"/v1/projects/{account.project}"


def _batches(permissions: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(permissions), BATCH_SIZE):
        yield list(permissions[start : start + BATCH_SIZE])
