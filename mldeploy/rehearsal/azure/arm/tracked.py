"""What all resources have in common: location, tags, how they are shown, how they are created or changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mldeploy.rehearsal.azure.arm.account import Resource
from mldeploy.rehearsal.azure.arm.application import check_location
from mldeploy.rehearsal.azure.arm.errors import ArmError
from mldeploy.rehearsal.azure.arm.kinds import Kind
from mldeploy.rehearsal.azure.arm.routes import Question
from mldeploy.rehearsal.azure.arm.shape import Json, Named, Shape, check

TAGS = Named(str)
_TAGS_AT_MOST = 50


@dataclass(frozen=True)
class Kept:
    """A PUT that was taken in. new: it was not there before."""

    resource: Resource
    new: bool


def keep(asked: Question, kind: Kind, shape: Shape, merged: Sequence[str] = ()) -> Kept:
    """Check what a PUT says, and take it in. merged: members of `properties` that stay as they were if not named.

    Raises ArmError.
    """
    check(asked.body, shape)
    location = check_location(asked.body)
    tags = asked.body.get("tags") or {}
    if len(tags) > _TAGS_AT_MOST:
        raise ArmError(400, "InvalidTagsCount", f"The number of tags must not exceed {_TAGS_AT_MOST}.")
    known = asked.account.find(asked.path)
    if known is not None and known.body["location"] != location:
        what = f"The resource '{known.name}' already exists in location '{known.body['location']}'."
        more = f"A resource with the same name cannot be created in location '{location}'."
        raise ArmError(409, "InvalidResourceLocation", f"{what} {more}")
    body: Json = {**asked.body, "location": location, "tags": tags, "properties": asked.body.get("properties") or {}}
    if known is None:
        name = asked.path.rpartition("/")[2]
        return Kept(asked.account.add(Resource(asked.path, kind, name, body, asked.account.now)), new=True)
    kept = {name: known.properties[name] for name in merged if name in known.properties}
    known.body = {**body, "properties": {**kept, **body["properties"]}}
    return Kept(known, new=False)


def shown(resource: Resource) -> Json:
    """As a GET shows it."""
    return {"id": resource.id, "name": resource.name, "type": resource.kind.name, **resource.body}


def shown_with_state(resource: Resource) -> Json:
    """The same, with its provisioningState."""
    body = shown(resource)
    return {**body, "properties": {**resource.properties, "provisioningState": resource.doing}}


def check_name(name: str, pattern: str, code: str, message: str) -> None:
    """Raises ArmError, 400."""
    if not re.fullmatch(pattern, name):
        raise ArmError(400, code, message)
