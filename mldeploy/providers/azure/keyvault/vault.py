"""The app's key vault: created with its first secret, deleted and purged with the app.

https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview. A deleted vault keeps its name, which is
unique in all of Azure, until it is purged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from azure.core.exceptions import HttpResponseError
from azure.mgmt.keyvault.models import DeletedVault, Sku, VaultCreateOrUpdateParameters, VaultProperties
from azure.mgmt.keyvault.models import Vault as VaultModel

from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.azure.errors import error_code, ignore_not_found, translate_errors
from mldeploy.providers.azure.group import ResourceGroup, ResourceProvider
from mldeploy.providers.azure.identity import IdentityCloud
from mldeploy.providers.azure.tags import DERIVED, derive_vault_name, missing_tags, resolve_name
from mldeploy.providers.azure.waiting import run_operation, wait_until_gone

VAULT_TYPE = "microsoft.keyvault/vaults"
RETENTION_DAYS = 7
"""The shortest time that a deleted vault may be kept. It is purged at once, if the account may do that."""
DELETED_CODES = frozenset({"ConflictError", "VaultAlreadyExists"})
"""The name is in use: by a deleted vault of the subscription, or by a vault of anybody."""


@dataclass(frozen=True)
class VaultInfo:
    """A key vault. id: the resource id. uri: where it answers, with a slash at the end."""

    id: str
    name: str
    region: str
    uri: str


@translate_errors
@dataclass(frozen=True, eq=False)
class AppVault(Step[IdentityCloud, VaultInfo]):
    """The vault of the app on one target. No graph has it: the first secret or access key creates it."""

    kind: ClassVar[str] = "key-vault"
    title: ClassVar[str] = "Create the key vault"
    swept: ClassVar[bool] = False

    app: str
    provider: ResourceProvider
    group: ResourceGroup

    def key(self) -> Key:
        return vault_key(self.app, self.group.name)

    def probe(self, cloud: IdentityCloud, outs: Outputs) -> Seen[VaultInfo] | None:
        existing = _get_vault(cloud, self.key())
        if existing is None:
            return None
        return Seen(_parse_vault(existing), ours=not missing_tags(existing.tags, cloud.app, cloud.target))

    def apply(self, cloud: IdentityCloud, outs: Outputs, seen: Seen[VaultInfo] | None, monitor: Monitor) -> VaultInfo:
        """A deleted vault of the app is purged first. Raises RefusedError if the name is taken."""
        name = resolve_vault_name(cloud, self.key())
        parameters = VaultCreateOrUpdateParameters(
            location=outs[self.group].region,
            tags=cloud.owner_tags,
            properties=VaultProperties(
                tenant_id=cloud.account.tenant,
                sku=Sku(family="A", name="standard"),
                enable_rbac_authorization=True,
                soft_delete_retention_in_days=RETENTION_DAYS,
            ),
        )
        begin = partial(cloud.vaults.vaults.begin_create_or_update, self.group.name, name, parameters)
        try:
            created = run_operation(monitor, name, begin)
        except HttpResponseError as error:
            if error_code(error) not in DELETED_CODES:
                raise
            _purge_own(cloud, name, monitor)
            created = run_operation(monitor, name, begin)
        return _parse_vault(created)

    @staticmethod
    def undo(cloud: IdentityCloud, key: Key, monitor: Monitor) -> bool:
        """Delete the vault with all secrets and role assignments, and purge it, so that its name is free."""
        name, existing = resolve_vault_name(cloud, key), _get_vault(cloud, key)
        if existing is not None:
            if missing_tags(existing.tags, cloud.app, cloud.target):
                return False
            ignore_not_found(partial(cloud.vaults.vaults.delete, key.scope[0], name))
            wait_until_gone(monitor, name, lambda: _get_vault(cloud, key) is None)
        deleted = _find_deleted(cloud, name)
        if deleted is not None:
            _purge(cloud, name, deleted, monitor)
        return existing is not None or deleted is not None


def vault_key(app: str, group: str) -> Key:
    """The key of the app's vault, which does not depend on the subscription."""
    return Key(f"{app}{DERIVED}", (group,))


def resolve_vault_name(cloud: IdentityCloud, key: Key) -> str:
    """The vault's name for a key."""
    return resolve_name(key.name, cloud.account.subscription, partial(derive_vault_name, cloud.target))


def describe_vault(cloud: IdentityCloud) -> VaultInfo | None:
    """The app's vault; None if there is none of ours. Raises SDK errors."""
    existing = _get_vault(cloud, vault_key(cloud.app, cloud.group))
    return _parse_vault(existing) if existing is not None and cloud.owns(existing.tags) else None


def vault_exists(cloud: IdentityCloud, key: Key) -> bool:
    """Whether the app owns this vault."""
    existing = _get_vault(cloud, key)
    return existing is not None and cloud.owns(existing.tags)


def _get_vault(cloud: IdentityCloud, key: Key) -> VaultModel | None:
    return ignore_not_found(partial(cloud.vaults.vaults.get, key.scope[0], resolve_vault_name(cloud, key)))


def _parse_vault(existing: VaultModel) -> VaultInfo:
    uri = (existing.properties.vault_uri or "").rstrip("/")
    return VaultInfo(existing.id or "", existing.name or "", existing.location or "", f"{uri}/")


def _find_deleted(cloud: IdentityCloud, name: str) -> DeletedVault | None:
    """The deleted vault of this name that the app owned. Other subscriptions' are not listed."""
    for each in cloud.vaults.vaults.list_deleted():
        tags = each.properties.tags if each.properties else None
        if (each.name or "").lower() == name.lower() and cloud.owns(tags):
            return each
    return None


def _purge_own(cloud: IdentityCloud, name: str, monitor: Monitor) -> None:
    """Purge the deleted vault that keeps the name. Raises RefusedError if there is none, or if it may not be purged."""
    deleted = _find_deleted(cloud, name)
    if deleted is None:
        todo = "Names of vaults are unique in all of Azure. Choose another name for the app."
        raise RefusedError(f"key vault {name}", "the name is taken", todo)
    if not _purge(cloud, name, deleted, monitor):
        todo = f"Run `az keyvault recover --name {name}`, and the command again: its secrets are there again, too."
        raise RefusedError(f"key vault {name}", f"was deleted, and {_kept_text(deleted)}", todo)


def _purge(cloud: IdentityCloud, name: str, deleted: DeletedVault, monitor: Monitor) -> bool:
    """Purge a deleted vault. False if it is protected, as an organization's policy may demand. Safe to repeat."""
    properties = deleted.properties
    if properties is None or properties.purge_protection_enabled:
        monitor.note(f"The key vault {name} is deleted, but {_kept_text(deleted)}.", warning=True)
        return False
    begin = partial(cloud.vaults.vaults.begin_purge_deleted, name, properties.location or "")
    ignore_not_found(partial(run_operation, monitor, name, begin))
    wait_until_gone(monitor, name, lambda: _find_deleted(cloud, name) is None)
    return True


def _kept_text(deleted: DeletedVault) -> str:
    until = deleted.properties.scheduled_purge_date if deleted.properties else None
    return f"its name is kept until {until:%Y-%m-%d}, since it is protected" if until else "it is protected"
