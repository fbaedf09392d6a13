"""Resource groups, lists of resources, and tags of any resource."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from mldeploy.rehearsal.azure.arm import resource_types
from mldeploy.rehearsal.azure.arm.application import check_namespace
from mldeploy.rehearsal.azure.arm.long_running import SUBSCRIPTION_RESULTS, accept_operation, begin_deletion
from mldeploy.rehearsal.azure.arm.resources import TAGS, check_name, check_tags, describe_with_state, put_resource
from mldeploy.rehearsal.azure.arm.routes import GROUP, SUBSCRIPTION, ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json, ObjectSchema, OneOf, validate
from mldeploy.rehearsal.azure.arm.state import SUBSCRIPTION as OURS
from mldeploy.rehearsal.azure.arm.state import TENANT, ArmResource, group_deletion_error

_GROUP = ObjectSchema("ResourceGroup", {"location": str, "tags": TAGS, "managedBy": str, "properties": dict})
_CHANGED = ObjectSchema(
    "TagsPatchResource",
    {"operation": OneOf(("Merge", "Replace", "Delete")), "properties": ObjectSchema("Tags", {"tags": TAGS})},
    ("operation", "properties"),
)
_LISTED = (
    resource_types.REGISTRY,
    resource_types.IDENTITY,
    resource_types.PLAN,
    resource_types.SITE,
    resource_types.SLOT,
    resource_types.AUTOSCALE,
    resource_types.ENVIRONMENT,
    resource_types.MANAGED_CERTIFICATE,
    resource_types.CONTAINER_APP,
    resource_types.VAULT,
)
_TERM = re.compile(r"(tagName|tagValue|resourceType|name|location) eq '([^']*)'")


def _put(request: ArmRequest) -> ArmResponse:
    pattern, limits = r"[-\w.()]{1,90}(?<!\.)", "It is to have at most 90 characters, and not to end with a dot."
    check_name(request["group"], pattern, "InvalidResourceGroup", f"The name '{request['group']}' is invalid. {limits}")
    known = request.account.find(_group_id(request))
    if known is not None and known.state == "Deleting":
        raise group_deletion_error(known)
    result = put_resource(request, resource_types.GROUP, _GROUP)
    result.resource.id = _group_id(request)
    return ArmResponse(201 if result.new else 200, describe_with_state(result.resource))


def _get(request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, describe_with_state(request.account.get(_group_id(request))))


def _head(request: ArmRequest) -> ArmResponse:
    request.account.get(_group_id(request))
    return ArmResponse(204)


def _delete(request: ArmRequest) -> ArmResponse:
    begin_deletion(request, request.account.get(_group_id(request)))
    return accept_operation(request, lambda: None, SUBSCRIPTION_RESULTS)


def _group_id(request: ArmRequest) -> str:
    """Return the normalized id: the SDK sends `resourcegroups`, Azure returns `resourceGroups`."""
    return f"/subscriptions/{OURS}/resourceGroups/{request['group']}"


def _list_groups(request: ArmRequest) -> ArmResponse:
    return _list(request, request.account.list_resources(resource_types.GROUP))


def _list_resources(request: ArmRequest) -> ArmResponse:
    """List resources. A new resource appears after a delay."""
    account, within = request.account, _group_id(request) if "group" in request.parameters else ""
    return _list(
        request,
        (
            each
            for each in account.list_resources(*_LISTED, within=within)
            if account.now - each.created_at >= account.pace
        ),
    )


def _list(request: ArmRequest, resources: Iterable[ArmResource]) -> ArmResponse:
    matches = _parse_filter(request.query.get("$filter", ""))
    return ArmResponse(200, {"value": [_describe_entry(each) for each in resources if matches(each)]})


def _describe_entry(resource: ArmResource) -> Json:
    names = ("location", "tags", "kind", "sku", "identity")
    entry: Json = {"id": resource.id, "name": resource.name, "type": resource.kind.name}
    entry |= {name: resource.body[name] for name in names if name in resource.body}
    if resource.kind is resource_types.GROUP:
        entry["properties"] = {"provisioningState": resource.state}
    return entry


def _parse_filter(text: str) -> Callable[[ArmResource], bool]:
    """Parse a `$filter`. Standard: Resources - List. Raises ArmError."""
    terms = dict(_TERM.findall(text))
    if re.sub(r"\s+|and", "", _TERM.sub("", text)) or ("tagValue" in terms and "tagName" not in terms):
        raise ArmError(400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")

    def matches(resource: ArmResource) -> bool:
        tags = {name.lower(): value for name, value in resource.tags.items()}
        conditions = {
            "tagName": tags.get(terms.get("tagName", "").lower()) is not None,
            "tagValue": tags.get(terms.get("tagName", "").lower()) == terms.get("tagValue"),
            "resourceType": resource.kind.name.lower() == terms.get("resourceType", "").lower(),
            "name": resource.name.lower() == terms.get("name", "").lower(),
            "location": resource.body.get("location") == terms.get("location"),
        }
        return all(conditions[name] for name in terms)

    return matches


def _get_tags(request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, _describe_tags(request, _get_tagged(request)))


def _put_tags(request: ArmRequest) -> ArmResponse:
    resource = _get_tagged(request)
    validate(
        request.body,
        ObjectSchema("TagsResource", {"properties": ObjectSchema("Tags", {"tags": TAGS})}, ("properties",)),
    )
    tags = request.body["properties"].get("tags") or {}
    check_tags(tags)
    resource.body["tags"] = tags
    return ArmResponse(200, _describe_tags(request, resource))


def _patch_tags(request: ArmRequest) -> ArmResponse:
    resource = _get_tagged(request)
    validate(request.body, _CHANGED)
    operation, tags = request.body["operation"].lower(), request.body["properties"].get("tags") or {}
    others = {name: value for name, value in resource.tags.items() if name not in tags}
    result = {"merge": {**resource.tags, **tags}, "replace": tags, "delete": others}[operation]
    check_tags(result)
    resource.body["tags"] = result
    return ArmResponse(200, _describe_tags(request, resource))


def _delete_tags(request: ArmRequest) -> ArmResponse:
    _get_tagged(request).body["tags"] = {}
    return ArmResponse(200)


def _get_tagged(request: ArmRequest) -> ArmResource:
    return request.account.get("/" + request["scope"].strip("/"))


def _describe_tags(request: ArmRequest, resource: ArmResource) -> Json:
    named = {"id": request.path, "name": "default", "type": "Microsoft.Resources/tags"}
    return {**named, "properties": {"tags": dict(resource.tags)}}


_AT = "{scope}/providers/Microsoft.Resources/tags/default"
_IN = "Microsoft.Resources/subscriptions/resourceGroups"
ROUTES = (
    ArmRoute(f"GET {SUBSCRIPTION}/resourceGroups", resource_types.GROUP, _list_groups, f"{_IN}/read"),
    ArmRoute(f"PUT {GROUP}", resource_types.GROUP, _put, f"{_IN}/write"),
    ArmRoute(f"GET {GROUP}", resource_types.GROUP, _get, f"{_IN}/read"),
    ArmRoute(f"HEAD {GROUP}", resource_types.GROUP, _head, f"{_IN}/read"),
    ArmRoute(f"DELETE {GROUP}", resource_types.GROUP, _delete, f"{_IN}/delete"),
    ArmRoute(f"GET {GROUP}/resources", resource_types.GROUP, _list_resources, f"{_IN}/resources/read"),
    ArmRoute(
        f"GET {SUBSCRIPTION}/resources",
        resource_types.GROUP,
        _list_resources,
        "Microsoft.Resources/subscriptions/resources/read",
    ),
    ArmRoute(f"GET {_AT}", resource_types.TAGS, _get_tags),
    ArmRoute(f"PUT {_AT}", resource_types.TAGS, _put_tags),
    ArmRoute(f"PATCH {_AT}", resource_types.TAGS, _patch_tags),
    ArmRoute(f"DELETE {_AT}", resource_types.TAGS, _delete_tags),
)


_ROOT = "Microsoft.Resources/subscriptions"


def _get_subscription(_request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, _describe())


def _list_subscriptions(_request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, {"value": [_describe()]})


def _describe() -> Json:
    named = {"id": f"/subscriptions/{OURS}", "subscriptionId": OURS, "tenantId": TENANT}
    return {**named, "displayName": "rehearsal", "state": "Enabled"}


def _list_locations(_request: ArmRequest) -> ArmResponse:
    path = f"/subscriptions/{OURS}/locations"
    return ArmResponse(
        200,
        {"value": [{"id": f"{path}/{each}", "name": each, "displayName": each} for each in resource_types.LOCATIONS]},
    )


def _get_provider(request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, _describe_registration(request, check_namespace(request["namespace"])))


def _list_providers(request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, {"value": [_describe_registration(request, each) for each in resource_types.NAMESPACES]})


def _register(request: ArmRequest) -> ArmResponse:
    namespace = check_namespace(request["namespace"])
    request.account.registered.setdefault(namespace.lower(), request.account.now + request.account.propagation_delay)
    return ArmResponse(200, _describe_registration(request, namespace))


def _describe_registration(request: ArmRequest, namespace: str) -> Json:
    since = request.account.registered.get(namespace.lower())
    state = "NotRegistered" if since is None else "Registering" if since > request.account.now else "Registered"
    identity = f"/subscriptions/{OURS}/providers/{namespace}"
    policy = {"registrationPolicy": "RegistrationRequired", "resourceTypes": []}
    return {"id": identity, "namespace": namespace, "registrationState": state, **policy}


_PROVIDER = f"{SUBSCRIPTION}/providers/{{namespace}}"
SUBSCRIPTION_ROUTES = (
    ArmRoute("GET /subscriptions", resource_types.SUBSCRIPTION, _list_subscriptions, f"{_ROOT}/read"),
    ArmRoute(f"GET {SUBSCRIPTION}", resource_types.SUBSCRIPTION, _get_subscription, f"{_ROOT}/read"),
    ArmRoute(f"GET {SUBSCRIPTION}/locations", resource_types.SUBSCRIPTION, _list_locations, f"{_ROOT}/locations/read"),
    ArmRoute(f"GET {SUBSCRIPTION}/providers", resource_types.SUBSCRIPTION, _list_providers, f"{_ROOT}/providers/read"),
    ArmRoute(f"GET {_PROVIDER}", resource_types.SUBSCRIPTION, _get_provider, f"{_ROOT}/providers/read"),
    ArmRoute(f"POST {_PROVIDER}/register", resource_types.SUBSCRIPTION, _register),
)
