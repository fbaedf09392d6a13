"""User-assigned managed identities, and who is in the directory."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from mldeploy.rehearsal.azure.arm import kinds
from mldeploy.rehearsal.azure.arm.account import TENANT, Account, Resource
from mldeploy.rehearsal.azure.arm.errors import ArmError
from mldeploy.rehearsal.azure.arm.routes import GROUP, Answer, Question, Route
from mldeploy.rehearsal.azure.arm.shape import Json, OneOf, Shape
from mldeploy.rehearsal.azure.arm.tracked import TAGS, check_name, keep, shown

_PROPERTIES = Shape("UserAssignedIdentityProperties", {"isolationScope": OneOf(("None", "Regional"))})
_IDENTITY = Shape("Identity", {"location": str, "tags": TAGS, "properties": _PROPERTIES})
_MINE = ("tenantId", "principalId", "clientId")


def _put(asked: Question) -> Answer:
    limits = "It is to have 3 to 128 letters, digits, hyphens and underscores, and to begin with a letter or a digit."
    check_name(
        asked["name"], r"[A-Za-z0-9][\w-]{2,127}", "InvalidResourceName", f"Invalid name '{asked['name']}'. {limits}"
    )
    kept = keep(asked, kinds.IDENTITY, _IDENTITY, merged=_MINE)
    if kept.new:
        made = {"principalId": str(uuid.uuid4()), "clientId": str(uuid.uuid4()), "tenantId": TENANT}
        kept.resource.properties.update(made)
    return Answer(201 if kept.new else 200, shown(kept.resource))


def _get(asked: Question) -> Answer:
    return Answer(200, shown(asked.resource))


def _list(asked: Question) -> Answer:
    within = asked.path[: asked.path.lower().index("/providers/")]
    return Answer(200, {"value": [shown(each) for each in asked.account.of(kinds.IDENTITY, within=within)]})


def _delete(asked: Question) -> Answer:
    found = asked.account.find(asked.path)
    if found is None:
        return Answer(204)
    asked.account.remove(found)
    return Answer(200)


def by_client(account: Account, client: str) -> Resource | None:
    """The identity of a clientId."""
    return next((each for each in account.of(kinds.IDENTITY) if each.properties["clientId"] == client), None)


def is_known(account: Account, principal: str) -> bool:
    """The directory knows this principal by now: what is new is not known everywhere at once."""
    for each in account.of(kinds.IDENTITY):
        if each.properties["principalId"] == principal:
            return account.now - each.born >= account.lag
    return False


def assigned(account: Account, identity: Json | None) -> Json | None:
    """A resource's `identity` as it is shown: with the principals. Raises ArmError."""
    if not identity:
        return None
    listed: Mapping[str, object] = identity.get("userAssignedIdentities") or {}
    full: Json = {}
    for each in listed:
        found = account.find(each)
        if found is None or found.kind is not kinds.IDENTITY:
            what = f"The identity(ids) '{each}' could not be found."
            raise ArmError(400, "FailedIdentityOperation", f"Identity operation failed with error '{what}'.")
        full[found.id] = {name: found.properties[name] for name in ("principalId", "clientId")}
    return {"type": identity["type"], **({"userAssignedIdentities": full} if full else {})}


_PLACE = "providers/Microsoft.ManagedIdentity/userAssignedIdentities"
ROUTES = (
    Route(f"GET /subscriptions/{{subscription}}/{_PLACE}", kinds.IDENTITY, _list),
    Route(f"GET {GROUP}/{_PLACE}", kinds.IDENTITY, _list),
    Route(f"PUT {GROUP}/{_PLACE}/{{name}}", kinds.IDENTITY, _put),
    Route(f"GET {GROUP}/{_PLACE}/{{name}}", kinds.IDENTITY, _get),
    Route(f"DELETE {GROUP}/{_PLACE}/{{name}}", kinds.IDENTITY, _delete),
)
