"""Azure RBAC. The caller owns the subscription; every other principal needs a role assignment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from mldeploy.rehearsal.azure.arm import resource_types
from mldeploy.rehearsal.azure.arm.identities import is_principal_known
from mldeploy.rehearsal.azure.arm.resources import describe
from mldeploy.rehearsal.azure.arm.routes import ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json, ObjectSchema, OneOf, validate
from mldeploy.rehearsal.azure.arm.state import CALLER, SUBSCRIPTION, TENANT, ArmResource, SubscriptionState

_REGISTRIES = "Microsoft.ContainerRegistry/registries"
PULL, PUSH = f"{_REGISTRIES}/pull/read", f"{_REGISTRIES}/push/write"
_CONTENT = f"{_REGISTRIES}/repositories/content"
_DATA_ACTIONS = MappingProxyType({PULL: f"{_CONTENT}/read", PUSH: f"{_CONTENT}/write"})
"""What a registry in ABAC mode checks instead."""
_VAULT_SECRETS = "Microsoft.KeyVault/vaults/secrets"
"""The data actions of key vaults."""
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
REPOSITORY_READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"
REPOSITORY_WRITER = "2a1e307c-b015-4ebd-883e-5b7698a07328"
_BUILT_IN = MappingProxyType(
    {
        OWNER: ("Owner", ("*",)),
        "b24988ac-6180-42a0-ab88-20f7382dd24c": ("Contributor", ("*",)),
        "acdd72a7-3385-48ef-bd42-f606fba81ae7": ("Reader", ("*/read",)),
        ACR_PULL: ("AcrPull", (PULL,)),
        "8311e382-0749-4cb8-b61a-304f252e45ec": ("AcrPush", (PULL, PUSH)),
        REPOSITORY_READER: ("Container Registry Repository Reader", (f"{_CONTENT}/read",)),
        REPOSITORY_WRITER: ("Container Registry Repository Writer", (f"{_CONTENT}/read", f"{_CONTENT}/write")),
        "4633458b-17de-408a-b874-0445c86b69e6": (
            "Key Vault Secrets User",
            (f"{_VAULT_SECRETS}/getSecret/action", f"{_VAULT_SECRETS}/readMetadata/action"),
        ),
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": ("Key Vault Secrets Officer", (f"{_VAULT_SECRETS}/*",)),
    }
)
"""Name and actions. Standard: Azure RBAC, "Azure built-in roles"."""
_WITHOUT_DATA = frozenset({OWNER, "b24988ac-6180-42a0-ab88-20f7382dd24c", "acdd72a7-3385-48ef-bd42-f606fba81ae7"})
"""Their wildcards do not include data actions."""
_TYPES = ("User", "Group", "ServicePrincipal", "ForeignGroup", "Device")
_ASSIGNMENT = ObjectSchema(
    "RoleAssignmentCreateRequest",
    {
        "properties": ObjectSchema(
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
_PATH = "/providers/Microsoft.Authorization/roleAssignments/"


def may_transfer(account: SubscriptionState, principal: str, action: str, registry: ArmResource) -> bool:
    """Return whether a principal may pull or push. action: PULL or PUSH.

    Standard: Azure Container Registry, "Role assignment mode": with ABAC, AcrPull and AcrPush do not count.
    """
    is_abac = registry.properties.get("roleAssignmentMode") == "AbacRepositoryPermissions"
    needed = _DATA_ACTIONS[action] if is_abac else action
    roles = account.conditions.roles
    if principal == CALLER and roles is not None:
        account.conditions.used.add(needed.lower())
        return any(each.allows(needed, registry.id, data=is_abac) for each in roles)
    return is_permitted(account, principal, needed, registry.id)


def is_permitted(account: SubscriptionState, principal: str, action: str, resource: str) -> bool:
    """Return whether a principal has a permission on a resource. A new assignment takes effect after a delay."""
    matching = [
        each
        for each in list_assignments(account)
        if each.properties["principalId"] == principal
        and f"{resource.lower()}/".startswith(f"{each.properties['scope'].lower()}/")
        and _role_allows(each.properties["roleDefinitionId"], action)
    ]
    if any(account.is_first("check of", each) for each in matching if each.created_at):
        return False
    if matching and account.conditions.unknown_roles and all(each.created_at for each in matching):
        account.conditions.unknown_roles -= 1
        return False
    return any(
        account.now - each.created_at >= (account.propagation_delay if each.created_at else 0) for each in matching
    )


def list_assignments(account: SubscriptionState) -> Iterator[ArmResource]:
    """Yield the caller's Owner assignment, which every new subscription has, and the created ones."""
    scope, name = f"/subscriptions/{SUBSCRIPTION}", "5b1e0d6f-0a1c-4b6a-853a-9e103f2b8c7d"
    properties = {"scope": scope, "principalId": CALLER, "roleDefinitionId": _definition_id(OWNER)}
    body = {"properties": {**properties, "principalType": "ServicePrincipal"}}
    yield ArmResource(f"{scope}{_PATH}{name}", resource_types.ASSIGNMENT, name, body, 0.0)
    yield from account.list_resources(resource_types.ASSIGNMENT)


def _definition_id(name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{name}"


def _role_allows(definition: str, action: str) -> bool:
    name = definition.rpartition("/")[2].lower()
    patterns = _BUILT_IN.get(name, ("", ()))[1]
    is_data = action in _DATA_ACTIONS.values() or action.startswith(_VAULT_SECRETS)
    if is_data and name in _WITHOUT_DATA:
        return False
    return any(re.fullmatch(re.escape(each).replace(r"\*", ".*"), action, re.IGNORECASE) for each in patterns)


def _put(request: ArmRequest) -> ArmResponse:
    account, scope = request.account, _parse_scope(request)
    validate(request.body, _ASSIGNMENT)
    properties: Mapping[str, str] = request.body["properties"]
    _check_ids(request["name"], properties)
    known = account.find(request.path)
    for each in list_assignments(account):
        if _is_same_assignment(each, scope, properties):
            raise ArmError(409, "RoleAssignmentExists", "The role assignment already exists.")
    if known is not None:
        what = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
        raise ArmError(409, "RoleAssignmentUpdateNotPermitted", what)
    if not is_principal_known(account, properties["principalId"]):
        raise _principal_error(properties["principalId"])
    kept: Json = {"properties": {"principalType": "ServicePrincipal", **properties, "scope": scope}}
    made = ArmResource(request.path, resource_types.ASSIGNMENT, request["name"], kept, account.now)
    return ArmResponse(201, describe(account.add(made)))


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


def _principal_error(principal: str) -> ArmError:
    what = f"Principal {principal.replace('-', '')} does not exist in the directory {TENANT}."
    more = (
        "Check that you have the correct principal ID. If you are creating this principal and then immediately "
        "assigning a role, this error might be related to a replication delay. In this case, set the role assignment "
        "principalType property to a value, such as ServicePrincipal, User, or Group."
    )
    return ArmError(400, "PrincipalNotFound", f"{what} {more} See https://aka.ms/docs-principaltype")


def _is_same_assignment(one: ArmResource, scope: str, desired: Mapping[str, str]) -> bool:
    properties = one.properties
    return bool(
        properties["scope"].lower() == scope.lower()
        and properties["principalId"] == desired["principalId"]
        and properties["roleDefinitionId"].rpartition("/")[2] == desired["roleDefinitionId"].rpartition("/")[2]
    )


def _parse_scope(request: ArmRequest) -> str:
    """Return the scope of an assignment. Raises ArmError, 404."""
    scope = "/" + request["scope"].strip("/")
    if scope.lower() != f"/subscriptions/{SUBSCRIPTION}":
        request.account.get(scope)
    return scope


def _list(request: ArmRequest) -> ArmResponse:
    """List assignments at, above and, without a filter, below a scope. Standard: Role Assignments - List For Scope."""
    scope, text = _parse_scope(request).lower(), request.query.get("$filter", "")
    principal = re.search(r"(?:principalId eq|assignedTo\()\s*'([^']+)'", text)
    if text and text != "atScope()" and not principal:
        raise ArmError(400, "InvalidFilter", f"The filter '{text}' is not supported.")

    def matches(each: ArmResource) -> bool:
        at = each.properties["scope"].lower()
        above = f"{scope}/".startswith(f"{at}/")
        below = f"{at}/".startswith(f"{scope}/") and not text.startswith("atScope")
        return (above or below) and (not principal or each.properties["principalId"] == principal[1])

    return ArmResponse(200, {"value": [describe(each) for each in list_assignments(request.account) if matches(each)]})


def _get(request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, describe(_get_assignment(request)))


def _delete(request: ArmRequest) -> ArmResponse:
    resource = request.account.find(request.path)
    if resource is None:
        return ArmResponse(204)
    request.account.remove(resource)
    return ArmResponse(200, describe(resource))


def _get_assignment(request: ArmRequest) -> ArmResource:
    assignment = request.account.find(request.path)
    if assignment is None:
        raise ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{request['name']}' is not found.")
    return assignment


def _list_definitions(request: ArmRequest) -> ArmResponse:
    title_filter = re.search(r"roleName eq '([^']+)'", request.query.get("$filter", ""))
    listed = [
        _describe_definition(name)
        for name, (title, _) in _BUILT_IN.items()
        if not title_filter or title_filter[1] == title
    ]
    return ArmResponse(200, {"value": listed})


def _get_definition(request: ArmRequest) -> ArmResponse:
    if request["name"].lower() not in _BUILT_IN:
        what = f"The specified role definition with ID '{request['name']}' does not exist."
        raise ArmError(404, "RoleDefinitionDoesNotExist", what)
    return ArmResponse(200, _describe_definition(request["name"].lower()))


def _describe_definition(name: str) -> Json:
    title, actions = _BUILT_IN[name]
    permissions = [{"actions": list(actions), "notActions": [], "dataActions": [], "notDataActions": []}]
    properties = {"roleName": title, "type": "BuiltInRole", "permissions": permissions, "assignableScopes": ["/"]}
    return {
        "id": _definition_id(name),
        "name": name,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": properties,
    }


def _list_permissions(request: ArmRequest) -> ArmResponse:
    roles, scope = request.account.conditions.roles, f"/{request['scope'].strip('/')}/".lower()
    granted = (
        [(["*"], [])]
        if roles is None
        else [(sorted(each.actions), sorted(each.data_actions)) for each in roles if scope.startswith(f"{each.scope}/")]
    )
    listed = [
        {"actions": actions, "notActions": [], "dataActions": data_actions, "notDataActions": []}
        for actions, data_actions in granted
    ]
    return ArmResponse(200, {"value": listed})


_AT = "{scope}/providers/Microsoft.Authorization"
ROUTES = (
    ArmRoute(f"GET {_AT}/roleAssignments", resource_types.ASSIGNMENT, _list),
    ArmRoute(f"PUT {_AT}/roleAssignments/{{name}}", resource_types.ASSIGNMENT, _put),
    ArmRoute(f"GET {_AT}/roleAssignments/{{name}}", resource_types.ASSIGNMENT, _get),
    ArmRoute(f"DELETE {_AT}/roleAssignments/{{name}}", resource_types.ASSIGNMENT, _delete),
    ArmRoute(f"GET {_AT}/roleDefinitions", resource_types.DEFINITION, _list_definitions),
    ArmRoute(f"GET {_AT}/roleDefinitions/{{name}}", resource_types.DEFINITION, _get_definition),
    ArmRoute(f"GET {_AT}/permissions", resource_types.PERMISSIONS, _list_permissions),
)
