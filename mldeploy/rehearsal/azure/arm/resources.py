"""Common to all resource types: PUT, representation, location, tags, names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mldeploy.rehearsal.azure.arm.application import check_location
from mldeploy.rehearsal.azure.arm.resource_types import ResourceType
from mldeploy.rehearsal.azure.arm.routes import ArmRequest
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
