"""Resource groups, the lists of what is in them, and the tags of whatever it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from mldeploy.rehearsal.azure.arm import kinds
from mldeploy.rehearsal.azure.arm.account import SUBSCRIPTION as OURS
from mldeploy.rehearsal.azure.arm.account import Resource, being_deleted
from mldeploy.rehearsal.azure.arm.errors import ArmError
from mldeploy.rehearsal.azure.arm.long import leave, with_location
from mldeploy.rehearsal.azure.arm.routes import GROUP, SUBSCRIPTION, Answer, Question, Route
from mldeploy.rehearsal.azure.arm.shape import Json, OneOf, Shape, check
from mldeploy.rehearsal.azure.arm.tracked import TAGS, check_name, keep, shown_with_state

_GROUP = Shape("ResourceGroup", {"location": str, "tags": TAGS, "managedBy": str, "properties": dict})
_CHANGED = Shape(
    "TagsPatchResource",
    {"operation": OneOf(("Merge", "Replace", "Delete")), "properties": Shape("Tags", {"tags": TAGS})},
    ("operation", "properties"),
)
_LISTED = (kinds.REGISTRY, kinds.IDENTITY, kinds.PLAN, kinds.SITE, kinds.SLOT, kinds.AUTOSCALE)
_TERM = re.compile(r"(tagName|tagValue|resourceType|name|location) eq '([^']*)'")


def _put(asked: Question) -> Answer:
    pattern, limits = r"[-\w.()]{1,90}(?<!\.)", "It is to have at most 90 characters, and not to end with a dot."
    check_name(asked["group"], pattern, "InvalidResourceGroup", f"The name '{asked['group']}' is invalid. {limits}")
    known = asked.account.find(_id(asked))
    if known is not None and known.doing == "Deleting":
        raise being_deleted(known)
    kept = keep(asked, kinds.GROUP, _GROUP)
    kept.resource.id = _id(asked)
    return Answer(201 if kept.new else 200, shown_with_state(kept.resource))


def _get(asked: Question) -> Answer:
    return Answer(200, shown_with_state(asked.account.need(_id(asked))))


def _head(asked: Question) -> Answer:
    asked.account.need(_id(asked))
    return Answer(204)


def _delete(asked: Question) -> Answer:
    leave(asked, asked.account.need(_id(asked)))
    return with_location(asked, lambda: None, "Microsoft.Resources/resourceGroups")


def _id(asked: Question) -> str:
    """However it was written: the SDK writes `resourcegroups` here, and Azure answers so."""
    return f"/subscriptions/{OURS}/resourceGroups/{asked['group']}"


def _groups(asked: Question) -> Answer:
    return _list(asked, asked.account.of(kinds.GROUP))


def _resources(asked: Question) -> Answer:
    """What is new is not in the list at once."""
    account, within = asked.account, _id(asked) if "group" in asked.parameters else ""
    return _list(
        asked, (each for each in account.of(*_LISTED, within=within) if account.now - each.born >= account.pace)
    )


def _list(asked: Question, found: Iterable[Resource]) -> Answer:
    wanted = _filter(asked.query.get("$filter", ""))
    return Answer(200, {"value": [_entry(each) for each in found if wanted(each)]})


def _entry(resource: Resource) -> Json:
    names = ("location", "tags", "kind", "sku", "identity")
    entry: Json = {"id": resource.id, "name": resource.name, "type": resource.kind.name}
    entry |= {name: resource.body[name] for name in names if name in resource.body}
    if resource.kind is kinds.GROUP:
        entry["properties"] = {"provisioningState": resource.doing}
    return entry


def _filter(text: str) -> Callable[[Resource], bool]:
    """Standard: Resources - List, `$filter`. Raises ArmError."""
    terms = dict(_TERM.findall(text))
    if re.sub(r"\s+|and", "", _TERM.sub("", text)) or ("tagValue" in terms and "tagName" not in terms):
        raise ArmError(400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")

    def wanted(resource: Resource) -> bool:
        tags = {name.lower(): value for name, value in resource.tags.items()}
        looked = {
            "tagName": tags.get(terms.get("tagName", "").lower()) is not None,
            "tagValue": tags.get(terms.get("tagName", "").lower()) == terms.get("tagValue"),
            "resourceType": resource.kind.name.lower() == terms.get("resourceType", "").lower(),
            "name": resource.name.lower() == terms.get("name", "").lower(),
            "location": resource.body.get("location") == terms.get("location"),
        }
        return all(looked[name] for name in terms)

    return wanted


def _tags(asked: Question) -> Answer:
    return Answer(200, _shown_tags(asked, _tagged(asked)))


def _put_tags(asked: Question) -> Answer:
    resource = _tagged(asked)
    check(asked.body, Shape("TagsResource", {"properties": Shape("Tags", {"tags": TAGS})}, ("properties",)))
    resource.body["tags"] = asked.body["properties"].get("tags") or {}
    return Answer(200, _shown_tags(asked, resource))


def _patch_tags(asked: Question) -> Answer:
    resource = _tagged(asked)
    check(asked.body, _CHANGED)
    operation, tags = asked.body["operation"].lower(), asked.body["properties"].get("tags") or {}
    others = {name: value for name, value in resource.tags.items() if name not in tags}
    resource.body["tags"] = {"merge": {**resource.tags, **tags}, "replace": tags, "delete": others}[operation]
    return Answer(200, _shown_tags(asked, resource))


def _delete_tags(asked: Question) -> Answer:
    _tagged(asked).body["tags"] = {}
    return Answer(200)


def _tagged(asked: Question) -> Resource:
    return asked.account.need("/" + asked["scope"].strip("/"))


def _shown_tags(asked: Question, resource: Resource) -> Json:
    named = {"id": asked.path, "name": "default", "type": "Microsoft.Resources/tags"}
    return {**named, "properties": {"tags": dict(resource.tags)}}


_AT = "{scope}/providers/Microsoft.Resources/tags/default"
_IN = "Microsoft.Resources/subscriptions/resourceGroups"
ROUTES = (
    Route(f"GET {SUBSCRIPTION}/resourceGroups", kinds.GROUP, _groups, f"{_IN}/read"),
    Route(f"PUT {GROUP}", kinds.GROUP, _put, f"{_IN}/write"),
    Route(f"GET {GROUP}", kinds.GROUP, _get, f"{_IN}/read"),
    Route(f"HEAD {GROUP}", kinds.GROUP, _head, f"{_IN}/read"),
    Route(f"DELETE {GROUP}", kinds.GROUP, _delete, f"{_IN}/delete"),
    Route(f"GET {GROUP}/resources", kinds.GROUP, _resources, f"{_IN}/resources/read"),
    Route(f"GET {SUBSCRIPTION}/resources", kinds.GROUP, _resources, "Microsoft.Resources/subscriptions/resources/read"),
    Route(f"GET {_AT}", kinds.TAGS, _tags),
    Route(f"PUT {_AT}", kinds.TAGS, _put_tags),
    Route(f"PATCH {_AT}", kinds.TAGS, _patch_tags),
    Route(f"DELETE {_AT}", kinds.TAGS, _delete_tags),
)
