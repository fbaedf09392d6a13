"""Roles: who may do what with which resource. The caller owns the subscription; everybody else needs an assignment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from mldeploy.rehearsal.azure.arm import kinds
from mldeploy.rehearsal.azure.arm.account import SUBSCRIPTION, TENANT, Account, Resource
from mldeploy.rehearsal.azure.arm.errors import ArmError
from mldeploy.rehearsal.azure.arm.identities import is_known
from mldeploy.rehearsal.azure.arm.routes import Answer, Question, Route
from mldeploy.rehearsal.azure.arm.shape import Json, OneOf, Shape, check
from mldeploy.rehearsal.azure.arm.tracked import shown

CALLER = "0d6f5b1e-1c0a-4a6b-9a53-3f2b8c7d9e10"
"""The object id of whoever has the rehearsal's credentials."""
PULL = "Microsoft.ContainerRegistry/registries/pull/read"
PUSH = "Microsoft.ContainerRegistry/registries/push/write"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
_BUILT_IN = MappingProxyType(
    {
        OWNER: ("Owner", ("*",)),
        "b24988ac-6180-42a0-ab88-20f7382dd24c": ("Contributor", ("*",)),
        "acdd72a7-3385-48ef-bd42-f606fba81ae7": ("Reader", ("*/read",)),
        ACR_PULL: ("AcrPull", (PULL,)),
        "8311e382-0749-4cb8-b61a-304f252e45ec": ("AcrPush", (PULL, PUSH)),
        "4633458b-17de-408a-b874-0445c86b69e6": ("Key Vault Secrets User", ()),
    }
)
"""Name and actions. Standard: Azure RBAC, "Azure built-in roles"."""
_TYPES = ("User", "Group", "ServicePrincipal", "ForeignGroup", "Device")
_ASSIGNMENT = Shape(
    "RoleAssignmentCreateRequest",
    {
        "properties": Shape(
            "RoleAssignmentProperties",
            {
                "roleDefinitionId": str,
                "principalId": str,
                "principalType": OneOf(_TYPES),
                "description": str,
                "condition": str,
                "conditionVersion": str,
                "delegatedManagedIdentityResourceId": str,
            },
            ("roleDefinitionId", "principalId"),
        )
    },
    ("properties",),
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PLACE = "/providers/Microsoft.Authorization/roleAssignments/"


def may(account: Account, principal: str, action: str, resource: str) -> bool:
    """Whether a principal may do this to a resource by now: an assignment does not count everywhere at once."""
    return any(
        each.properties["principalId"] == principal
        and account.now - each.born >= (account.lag if each.born else 0)
        and f"{resource.lower()}/".startswith(f"{each.properties['scope'].lower()}/")
        and _allows(each.properties["roleDefinitionId"], action)
        for each in assignments(account)
    )


def assignments(account: Account) -> Iterator[Resource]:
    """The caller's own, which every new subscription has, and all others."""
    scope, name = f"/subscriptions/{SUBSCRIPTION}", "5b1e0d6f-0a1c-4b6a-853a-9e103f2b8c7d"
    properties = {"scope": scope, "principalId": CALLER, "roleDefinitionId": _definition(OWNER)}
    body = {"properties": {**properties, "principalType": "ServicePrincipal"}}
    yield Resource(f"{scope}{_PLACE}{name}", kinds.ASSIGNMENT, name, body, 0.0)
    yield from account.of(kinds.ASSIGNMENT)


def _definition(name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{name}"


def _allows(definition: str, action: str) -> bool:
    patterns = _BUILT_IN.get(definition.rpartition("/")[2].lower(), ("", ()))[1]
    return any(re.fullmatch(re.escape(each).replace(r"\*", ".*"), action, re.IGNORECASE) for each in patterns)


def _put(asked: Question) -> Answer:
    account, scope = asked.account, _scope(asked)
    check(asked.body, _ASSIGNMENT)
    properties: Mapping[str, str] = asked.body["properties"]
    _check_ids(asked["name"], properties)
    known = account.find(asked.path)
    for each in assignments(account):
        if _same(each, scope, properties):
            raise ArmError(409, "RoleAssignmentExists", "The role assignment already exists.")
    if known is not None:
        what = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
        raise ArmError(409, "RoleAssignmentUpdateNotPermitted", what)
    if not is_known(account, properties["principalId"]):
        raise _no_principal(properties["principalId"])
    kept: Json = {"properties": {"principalType": "ServicePrincipal", **properties, "scope": scope}}
    made = Resource(asked.path, kinds.ASSIGNMENT, asked["name"], kept, account.now)
    return Answer(201, shown(account.add(made)))


def _check_ids(name: str, properties: Mapping[str, str]) -> None:
    if not _UUID.fullmatch(name):
        what = f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."
        raise ArmError(400, "InvalidRoleAssignmentId", what)
    definition = properties["roleDefinitionId"]
    if definition.rpartition("/")[2].lower() not in _BUILT_IN:
        what = f"The specified role definition with ID '{definition.rpartition('/')[2]}' does not exist."
        raise ArmError(400, "RoleDefinitionDoesNotExist", what)
    if not _UUID.fullmatch(properties["principalId"]):
        raise ArmError(400, "InvalidPrincipalId", f"A valid principal ID must be provided: {properties['principalId']}")


def _no_principal(principal: str) -> ArmError:
    what = f"Principal {principal.replace('-', '')} does not exist in the directory {TENANT}."
    more = (
        "Check that you have the correct principal ID. If you are creating this principal and then immediately "
        "assigning a role, this error might be related to a replication delay. In this case, set the role assignment "
        "principalType property to a value, such as ServicePrincipal, User, or Group."
    )
    return ArmError(400, "PrincipalNotFound", f"{what} {more} See https://aka.ms/docs-principaltype")


def _same(one: Resource, scope: str, wanted: Mapping[str, str]) -> bool:
    held = one.properties
    return bool(
        held["scope"].lower() == scope.lower()
        and held["principalId"] == wanted["principalId"]
        and held["roleDefinitionId"].rpartition("/")[2] == wanted["roleDefinitionId"].rpartition("/")[2]
    )


def _scope(asked: Question) -> str:
    """The resource that an assignment is about. Raises ArmError, 404."""
    scope = "/" + asked["scope"].strip("/")
    if scope.lower() != f"/subscriptions/{SUBSCRIPTION}":
        asked.account.need(scope)
    return scope


def _list(asked: Question) -> Answer:
    """Those at the scope, above it, and without a filter also below it. Standard: Role Assignments - List For Scope."""
    scope, wanted = _scope(asked).lower(), asked.query.get("$filter", "")
    principal = re.search(r"(?:principalId eq|assignedTo\()\s*'([^']+)'", wanted)
    if wanted and wanted != "atScope()" and not principal:
        raise ArmError(400, "InvalidFilter", f"The filter '{wanted}' is not supported.")

    def listed(each: Resource) -> bool:
        at = each.properties["scope"].lower()
        above = f"{scope}/".startswith(f"{at}/")
        below = f"{at}/".startswith(f"{scope}/") and not wanted.startswith("atScope")
        return (above or below) and (not principal or each.properties["principalId"] == principal[1])

    return Answer(200, {"value": [shown(each) for each in assignments(asked.account) if listed(each)]})


def _get(asked: Question) -> Answer:
    return Answer(200, shown(_need(asked)))


def _delete(asked: Question) -> Answer:
    found = asked.account.find(asked.path)
    if found is None:
        return Answer(204)
    asked.account.remove(found)
    return Answer(200, shown(found))


def _need(asked: Question) -> Resource:
    found = asked.account.find(asked.path)
    if found is None:
        raise ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{asked['name']}' is not found.")
    return found


def _definitions(asked: Question) -> Answer:
    wanted = re.search(r"roleName eq '([^']+)'", asked.query.get("$filter", ""))
    listed = [_shown_definition(name) for name, (title, _) in _BUILT_IN.items() if not wanted or wanted[1] == title]
    return Answer(200, {"value": listed})


def _get_definition(asked: Question) -> Answer:
    if asked["name"].lower() not in _BUILT_IN:
        what = f"The specified role definition with ID '{asked['name']}' does not exist."
        raise ArmError(404, "RoleDefinitionDoesNotExist", what)
    return Answer(200, _shown_definition(asked["name"].lower()))


def _shown_definition(name: str) -> Json:
    title, actions = _BUILT_IN[name]
    permissions = [{"actions": list(actions), "notActions": [], "dataActions": [], "notDataActions": []}]
    properties = {"roleName": title, "type": "BuiltInRole", "permissions": permissions, "assignableScopes": ["/"]}
    return {
        "id": _definition(name),
        "name": name,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": properties,
    }


def _permissions(_asked: Question) -> Answer:
    return Answer(200, {"value": [{"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}]})


_AT = "{scope}/providers/Microsoft.Authorization"
ROUTES = (
    Route(f"GET {_AT}/roleAssignments", kinds.ASSIGNMENT, _list),
    Route(f"PUT {_AT}/roleAssignments/{{name}}", kinds.ASSIGNMENT, _put),
    Route(f"GET {_AT}/roleAssignments/{{name}}", kinds.ASSIGNMENT, _get),
    Route(f"DELETE {_AT}/roleAssignments/{{name}}", kinds.ASSIGNMENT, _delete),
    Route(f"GET {_AT}/roleDefinitions", kinds.DEFINITION, _definitions),
    Route(f"GET {_AT}/roleDefinitions/{{name}}", kinds.DEFINITION, _get_definition),
    Route(f"GET {_AT}/permissions", kinds.PERMISSIONS, _permissions),
)
