"""User-assigned managed identities and the principals of the directory."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from mldeploy.rehearsal.azure.arm import resource_types
from mldeploy.rehearsal.azure.arm.resources import (
    TAGS,
    check_name,
    delete_resource,
    describe,
    get_resource,
    list_resources,
    put_resource,
)
from mldeploy.rehearsal.azure.arm.routes import GROUP, ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json, ObjectSchema, OneOf
from mldeploy.rehearsal.azure.arm.state import CALLER, TENANT, ArmResource, SubscriptionState

_PROPERTIES = ObjectSchema("UserAssignedIdentityProperties", {"isolationScope": OneOf(("None", "Regional"))})
_IDENTITY = ObjectSchema("Identity", {"location": str, "tags": TAGS, "properties": _PROPERTIES})
_READ_ONLY = ("tenantId", "principalId", "clientId")


def _put(request: ArmRequest) -> ArmResponse:
    limits = "It is to have 3 to 128 letters, digits, hyphens and underscores, and to begin with a letter or a digit."
    check_name(
        request["name"],
        r"[A-Za-z0-9][\w-]{2,127}",
        "InvalidResourceName",
        f"Invalid name '{request['name']}'. {limits}",
    )
    result = put_resource(request, resource_types.IDENTITY, _IDENTITY, merged=_READ_ONLY)
    if result.new:
        made = {"principalId": str(uuid.uuid4()), "clientId": str(uuid.uuid4()), "tenantId": TENANT}
        result.resource.properties.update(made)
    return ArmResponse(201 if result.new else 200, describe(result.resource))


def _list(request: ArmRequest) -> ArmResponse:
    return list_resources(request, resource_types.IDENTITY, describe)


def find_identity(account: SubscriptionState, client: str) -> ArmResource | None:
    """Return the identity of a clientId."""
    return next(
        (each for each in account.list_resources(resource_types.IDENTITY) if each.properties["clientId"] == client),
        None,
    )


def is_principal_known(account: SubscriptionState, principal: str) -> bool:
    """Return whether the directory knows a principal. A new one is known after a delay."""
    if principal == CALLER:
        return True
    for each in account.list_resources(resource_types.IDENTITY):
        if each.properties["principalId"] == principal:
            is_replicated = account.now - each.created_at >= account.propagation_delay
            return is_replicated and not account.is_first("assignment to", each)
    return False


def resolve_identity(account: SubscriptionState, identity: Json | None) -> Json | None:
    """Return a resource's `identity` with the principals filled in. Raises ArmError."""
    if not identity:
        return None
    assigned: Mapping[str, object] = identity.get("userAssignedIdentities") or {}
    full: Json = {}
    for each in assigned:
        resource = account.find(each)
        if resource is None or resource.kind is not resource_types.IDENTITY:
            what = f"The identity(ids) '{each}' could not be found."
            raise ArmError(400, "FailedIdentityOperation", f"Identity operation failed with error '{what}'.")
        full[resource.id] = {name: resource.properties[name] for name in ("principalId", "clientId")}
    return {"type": identity["type"], **({"userAssignedIdentities": full} if full else {})}


_PATH = "providers/Microsoft.ManagedIdentity/userAssignedIdentities"
ROUTES = (
    ArmRoute(f"GET /subscriptions/{{subscription}}/{_PATH}", resource_types.IDENTITY, _list),
    ArmRoute(f"GET {GROUP}/{_PATH}", resource_types.IDENTITY, _list),
    ArmRoute(f"PUT {GROUP}/{_PATH}/{{name}}", resource_types.IDENTITY, _put),
    ArmRoute(f"GET {GROUP}/{_PATH}/{{name}}", resource_types.IDENTITY, get_resource),
    ArmRoute(f"DELETE {GROUP}/{_PATH}/{{name}}", resource_types.IDENTITY, delete_resource),
)
