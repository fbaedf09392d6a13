"""Which permissions the credentials have in the project. https://cloud.google.com/iam/docs/testing-permissions"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mldeploy.providers.gcp.account import Account
from mldeploy.providers.gcp.rest import Rest

PUBLIC = "https://cloudresourcemanager.googleapis.com"
SERVICE = "resourcemanager"
"""The name under which a stand-in says where this API answers."""
RESOURCE_MANAGER = "cloudresourcemanager.googleapis.com"
AT_ONCE = 100


def missing(account: Account, permissions: Sequence[str]) -> tuple[str, ...]:
    """Those that the credentials do not have. Raises DisabledError, DeniedError, GcpError."""
    base = account.endpoints.service(SERVICE) or PUBLIC
    rest = Rest(account, base, f"permissions in {account.project}")
    path = f"/v1/projects/{account.project}:testIamPermissions"
    granted: set[str] = set()
    for some in _portions(permissions):
        found = rest.post(path, "resourcemanager.projects.get", {"permissions": some}).get("permissions")
        granted |= {str(each) for each in found} if isinstance(found, list) else set()
    return tuple(each for each in permissions if each not in granted)


def _portions(permissions: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(permissions), AT_ONCE):
        yield list(permissions[start : start + AT_ONCE])
