"""Vaults as resources. Standard: Key Vault REST API, "Vaults". Only vaults with Azure RBAC are simulated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mldeploy.rehearsal.azure.arm import resource_types
from mldeploy.rehearsal.azure.arm.authorization import is_permitted
from mldeploy.rehearsal.azure.arm.long_running import accept_operation
from mldeploy.rehearsal.azure.arm.resources import (
    TAGS,
    check_name,
    describe,
    describe_with_state,
    list_resources,
    put_resource,
)
from mldeploy.rehearsal.azure.arm.routes import GROUP, SUBSCRIPTION, ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, ListOf, ObjectSchema, OneOf
from mldeploy.rehearsal.azure.arm.state import CALLER, ArmResource, SubscriptionState
from mldeploy.rehearsal.azure.arm.state import SUBSCRIPTION as OURS
from mldeploy.rehearsal.azure.keyvault.secrets import GET_SECRET, VaultAdapter, VaultSecrets
from mldeploy.rehearsal.azure.sites.front_end import SiteAddressPool
from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.fault_proxy import FaultProxy

_NAMESPACE = "Microsoft.KeyVault"
_TYPE, _DELETED_TYPE = f"{_NAMESPACE}/vaults", f"{_NAMESPACE}/deletedVaults"
_SWITCH = OneOf(("Enabled", "Disabled"))
_SKU = ObjectSchema("Sku", {"family": OneOf(("A",)), "name": OneOf(("standard", "premium"))}, ("family", "name"))
_VAULT = ObjectSchema(
    "VaultCreateOrUpdateParameters",
    {
        "location": str,
        "tags": TAGS,
        "properties": ObjectSchema(
            "VaultProperties",
            {
                "tenantId": str,
                "sku": _SKU,
                "accessPolicies": ListOf(ObjectSchema("AccessPolicyEntry", {})),
                "enableRbacAuthorization": bool,
                "enableSoftDelete": bool,
                "softDeleteRetentionInDays": int,
                "enablePurgeProtection": bool,
                "publicNetworkAccess": _SWITCH,
                "createMode": OneOf(("default",)),
            },
            ("tenantId", "sku"),
        ),
    },
    ("properties",),
)


@dataclass(frozen=True)
class VaultContext:
    """addresses: where vaults answer. adapter: parses their requests. call_log: shared with Resource Manager."""

    account: SubscriptionState
    addresses: SiteAddressPool
    adapter: VaultAdapter
    call_log: CallLog


class KeyVaults:
    """The operations on vaults, and their secrets."""

    def __init__(self, context: VaultContext) -> None:
        self._context = context
        self._vaults: dict[str, tuple[ArmResource, VaultSecrets]] = {}
        """By HOST:PORT, in lower case."""

    @property
    def routes(self) -> Iterator[ArmRoute]:
        kind, one = resource_types.VAULT, f"{GROUP}/providers/{_TYPE}/{{vault}}"
        yield ArmRoute(f"GET {SUBSCRIPTION}/providers/{_TYPE}", kind, _list)
        yield ArmRoute(f"GET {GROUP}/providers/{_TYPE}", kind, _list)
        yield ArmRoute(f"PUT {one}", kind, self._put)
        yield ArmRoute(f"GET {one}", kind, lambda request: ArmResponse(200, describe_with_state(request.resource)))
        yield ArmRoute(f"DELETE {one}", kind, _delete)
        deleted = resource_types.DELETED_VAULT
        yield ArmRoute(f"GET {SUBSCRIPTION}/providers/{_DELETED_TYPE}", deleted, _list_deleted)
        one = f"{SUBSCRIPTION}/providers/{_NAMESPACE}/locations/{{location}}/deletedVaults/{{vault}}"
        yield ArmRoute(f"GET {one}", deleted, lambda request: ArmResponse(200, describe(request.resource)))
        yield ArmRoute(f"POST {one}/purge", deleted, _purge)

    def _put(self, request: ArmRequest) -> ArmResponse:
        """Source of the name's rule and of `VaultAlreadyExists`: Key Vault REST API, "Vaults - Create Or Update".

        Source of `ConflictError`: alan-turing-institute/data-safe-haven, issue 2523.
        """
        name, account = request["vault"], request.account
        rule = "The vault name must be between 3-24 alphanumeric characters, begin with a letter and end with a letter"
        text = f"The vault name '{name}' is invalid. {rule} or digit, and not contain consecutive hyphens."
        check_name(name, r"(?=.{3,24}\Z)[A-Za-z](?!.*--)[A-Za-z0-9-]*[A-Za-z0-9]", "VaultNameNotValid", text)
        if account.find(request.path) is None and _find_deleted(account, name):
            what = "A vault with the same name already exists in deleted state. You need to either recover or purge"
            more = (
                "Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete."
            )
            raise ArmError(409, "ConflictError", f"{what} existing key vault. {more}")
        if account.find(request.path) is None and _is_name_used(account, name):
            what = f"The vault name '{name}' is already in use. Vault names are globally unique so it is possible that"
            raise ArmError(409, "VaultAlreadyExists", f"{what} the name is already taken.")
        if (request.body.get("properties") or {}).get("enableRbacAuthorization") is False:
            what = "The rehearsal has vaults with Azure RBAC only."  # ours: access policies are not simulated
            raise ArmError(400, "AccessPoliciesNotSimulated", what)
        result = put_resource(request, resource_types.VAULT, _VAULT, merged=("vaultUri",))
        if result.new:
            self._open(result.resource)
        account.begin_change(result.resource, "RegisteringDns")
        return ArmResponse(201 if result.new else 200, describe_with_state(result.resource))

    def _open(self, resource: ArmResource) -> None:
        context, address = self._context, self._context.addresses.take()

        def allows(principal: str, action: str) -> bool:
            with context.account.lock:
                return may_use_secrets(context.account, principal, action, resource)

        def close() -> None:
            self._vaults.pop(address.host.lower(), None)
            context.addresses.release(address)

        secrets = VaultSecrets(address.host, allows)
        self._vaults[address.host.lower()] = resource, secrets
        address.serve(FaultProxy(secrets, context.adapter, context.call_log))
        resource.on_removed = close
        resource.properties.update(vaultUri=f"https://{address.host}/", enableRbacAuthorization=True)

    def fetch(self, url: str, principal: str) -> str | None:
        """Read a secret as a service of Azure does for a principal; None: there is none, or it may not.

        url: `https://HOST/secrets/NAME[/VERSION]`. The caller holds the account's lock.
        """
        host, _, path = url.removeprefix("https://").partition("/secrets/")
        found = self._vaults.get(host.lower())
        if found is None or not may_use_secrets(self._context.account, principal, GET_SECRET, found[0]):
            return None
        name, _, version = path.strip("/").partition("/")
        return found[1].read(name, version)

    def has_vault(self, url: str) -> bool:
        """Whether a URL is in one of these vaults."""
        return url.removeprefix("https://").partition("/")[0].lower() in self._vaults


def may_use_secrets(account: SubscriptionState, principal: str, action: str, vault: ArmResource) -> bool:
    """Return whether a principal may perform a data action. An Owner may not: the role has no data actions."""
    roles = account.conditions.roles
    if principal == CALLER and roles is not None:
        account.conditions.used.add(action.lower())
        return any(each.allows(action, vault.id, data=True) for each in roles)
    return is_permitted(account, principal, action, vault.id)


def _is_name_used(account: SubscriptionState, name: str) -> bool:
    ours = any(each.name.lower() == name.lower() for each in account.list_resources(resource_types.VAULT))
    return ours or (_TYPE.lower(), name.lower()) in account.conditions.taken


def _list(request: ArmRequest) -> ArmResponse:
    return list_resources(request, resource_types.VAULT, describe_with_state)


def _delete(request: ArmRequest) -> ArmResponse:
    """Delete a vault. Its name stays reserved until it is purged."""
    account, resource = request.account, request.account.find(request.path)
    if resource is None:
        return ArmResponse(204)
    account.remove(resource)
    location, days = str(resource.body["location"]), resource.properties.get("softDeleteRetentionInDays", 90)
    now = datetime.now(UTC)
    properties = {
        "vaultId": resource.id,
        "location": location,
        "tags": dict(resource.tags),
        "deletionDate": now.isoformat(),
        "scheduledPurgeDate": (now + timedelta(days=days)).isoformat(),
        **({"purgeProtectionEnabled": True} if resource.properties.get("enablePurgeProtection") else {}),
    }
    identity = f"/subscriptions/{OURS}/providers/{_NAMESPACE}/locations/{location}/deletedVaults/{resource.name}"
    kind = resource_types.DELETED_VAULT
    account.add(ArmResource(identity, kind, resource.name, {"properties": properties}, account.now))
    return ArmResponse(200)


def _list_deleted(request: ArmRequest) -> ArmResponse:
    listed = request.account.list_resources(resource_types.DELETED_VAULT)
    return ArmResponse(200, {"value": [describe(each) for each in listed]})


def _purge(request: ArmRequest) -> ArmResponse:
    """Purge a deleted vault. Source of `MethodNotAllowed`: Key Vault, "Soft-delete and purge protection"."""
    resource = request.account.get(request.strip_ending("/purge"))
    if resource.properties.get("purgeProtectionEnabled"):
        raise ArmError(405, "MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.")
    request.account.remove(resource)
    results = f"/subscriptions/{OURS}/providers/{_NAMESPACE}/locations/{request['location']}/operationResults/"
    return accept_operation(request, lambda: None, results)


def _find_deleted(account: SubscriptionState, name: str) -> bool:
    return any(each.name.lower() == name.lower() for each in account.list_resources(resource_types.DELETED_VAULT))
