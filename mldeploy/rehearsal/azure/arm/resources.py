"""Common to all resource types: PUT, GET, DELETE, representation, location, tags, names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mldeploy.rehearsal.azure.arm.application import check_location
from mldeploy.rehearsal.azure.arm.resource_types import ResourceType
from mldeploy.rehearsal.azure.arm.routes import ArmRequest, ArmResponse
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json, MapOf, ObjectSchema, validate
from mldeploy.rehearsal.azure.arm.state import ArmResource

TAGS = MapOf(str)
_TAGS_AT_MOST = 50
_POLICY_TAG = "assigned-by"
"""A tag that a policy of the organization adds to every resource."""


@dataclass(frozen=True)
class PutResult:
    """The result of a PUT. new: the resource was created."""

    resource: ArmResource
    new: bool


def put_resource(
    request: ArmRequest, kind: ResourceType, schema: ObjectSchema, merged: Sequence[str] = ()
) -> PutResult:
    """Validate and apply a PUT. merged: members of `properties` that keep their value if the request omits them.

    Raises ArmError.
    """
    validate(request.body, schema)
    location = check_location(request.body)
    tags = request.body.get("tags") or {}
    if request.account.conditions.is_harsh:
        tags = {_POLICY_TAG: "Azure Policy", **tags}
    check_tags(tags)
    known = request.account.find(request.path)
    if known is not None and known.body["location"] != location:
        what = f"The resource '{known.name}' already exists in location '{known.body['location']}'."
        more = f"A resource with the same name cannot be created in location '{location}'."
        raise ArmError(409, "InvalidResourceLocation", f"{what} {more}")
    body: Json = {
        **request.body,
        "location": location,
        "tags": tags,
        "properties": request.body.get("properties") or {},
    }
    if known is None:
        name = request.path.rpartition("/")[2]
        return PutResult(
            request.account.add(ArmResource(request.path, kind, name, body, request.account.now)), new=True
        )
    kept = {name: known.properties[name] for name in merged if name in known.properties}
    known.body = {**body, "properties": {**kept, **body["properties"]}}
    return PutResult(known, new=False)


def get_resource(request: ArmRequest) -> ArmResponse:
    """Answer a GET of a resource that is described by its body alone. Raises ArmError, 404."""
    return ArmResponse(200, describe(request.resource))


def list_resources(request: ArmRequest, kind: ResourceType, render: Callable[[ArmResource], Json]) -> ArmResponse:
    """Answer a GET of a collection: the resources of a kind in the group or subscription of the path."""
    within = request.path[: request.path.lower().index("/providers/")]
    return ArmResponse(200, {"value": [render(each) for each in request.account.list_resources(kind, within=within)]})


def delete_resource(request: ArmRequest) -> ArmResponse:
    """Answer the DELETE of a resource on which nothing depends. 204: there was none."""
    resource = request.account.find(request.path)
    if resource is None:
        return ArmResponse(204)
    request.account.remove(resource)
    return ArmResponse(200)


def describe(resource: ArmResource) -> Json:
    """Return the representation of a resource."""
    return {"id": resource.id, "name": resource.name, "type": resource.kind.name, **resource.body}


def describe_with_state(resource: ArmResource) -> Json:
    """Return the representation of a resource with its provisioningState."""
    body = describe(resource)
    return {**body, "properties": {**resource.properties, "provisioningState": resource.state}}


def check_tags(tags: Mapping[str, str]) -> None:
    """Check the number of tags. Standard: ARM, "Use tags", limitations. Raises ArmError, 400."""
    if len(tags) > _TAGS_AT_MOST:
        raise ArmError(400, "InvalidTagsCount", f"The number of tags must not exceed {_TAGS_AT_MOST}.")


def check_name(name: str, pattern: str, code: str, message: str) -> None:
    """Check a name against a pattern. Raises ArmError, 400."""
    if not re.fullmatch(pattern, name):
        raise ArmError(400, code, message)
