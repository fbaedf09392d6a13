"""Who may use the app's key vault: the caller, who writes secrets, and the app's identity, which reads them.

https://learn.microsoft.com/azure/key-vault/general/rbac-guide. The assignments are on the vault, and go with it.
"""

from __future__ import annotations

from mldeploy.core.monitor import Monitor
from mldeploy.providers.azure.errors import AzureDeniedError, azure_errors
from mldeploy.providers.azure.identity import IdentityCloud, IdentityInfo
from mldeploy.providers.azure.keyvault.vault import VaultInfo
from mldeploy.providers.azure.role_assignments import (
    RoleGrant,
    assign_role,
    grants_role,
    is_own_assignment,
    list_assignments,
)

SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
"""https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security"""


def allow_caller(cloud: IdentityCloud, vault: VaultInfo, monitor: Monitor) -> None:
    """Give the caller the role to write secrets. Safe to repeat. Raises SDK errors, AzureDeniedError."""
    account = cloud.account
    _assign(cloud, vault, SECRETS_OFFICER, (account.principal, account.principal_kind), monitor)


def is_caller_allowed(cloud: IdentityCloud, vault: VaultInfo) -> bool:
    """Whether mldeploy has given the caller that role. It may not count yet."""
    return any(
        is_own_assignment(each, cloud) and grants_role(each, SECRETS_OFFICER, cloud.account.principal)
        for each in list_assignments(cloud, vault.id)
    )


def allow_app(cloud: IdentityCloud, vault: VaultInfo, identity: IdentityInfo, monitor: Monitor) -> None:
    """Let the app's identity read the secrets, unless it may. Safe to repeat. Raises as `allow_caller` does."""
    if not any(grants_role(each, SECRETS_USER, identity.principal) for each in list_assignments(cloud, vault.id)):
        _assign(cloud, vault, SECRETS_USER, (identity.principal, "ServicePrincipal"), monitor)


def _assign(cloud: IdentityCloud, vault: VaultInfo, role: str, to: tuple[str, str], monitor: Monitor) -> None:
    principal, kind = to
    grant = RoleGrant(vault.id, role, principal, kind, f"{vault.id}/{principal}/{role}")
    try:
        with azure_errors(f"key vault {vault.name}"):
            assign_role(cloud, grant, monitor)
    except AzureDeniedError as denied:
        title = "Key Vault Secrets User" if role == SECRETS_USER else "Key Vault Secrets Officer"
        todo = f"Have an Owner assign the role {title} on it to the principal {principal}, and run the command again."
        raise AzureDeniedError(denied.where, cloud.account.user, denied.action, vault.id, todo) from denied
