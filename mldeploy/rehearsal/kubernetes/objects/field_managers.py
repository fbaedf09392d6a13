"""Field management and server-side apply.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jsonpatch
from jsonpointer import JsonPointerException

from mldeploy.rehearsal.kubernetes.objects.errors import StatusError, bad_request
from mldeploy.rehearsal.kubernetes.objects.field_sets import (
    Path,
    decode_fields,
    encode_fields,
    format_path,
    list_fields,
    merge_applied,
    remove_fields,
)
from mldeploy.rehearsal.kubernetes.objects.schemas import (
    ANY_SCHEMA,
    Schema,
    field_schema,
    item_schema,
    merge_key,
    schema_of,
)
from mldeploy.rehearsal.kubernetes.objects.store import now
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object

APPLY, UPDATE = "Apply", "Update"
_UNMANAGED = ("apiVersion", "kind")
_UNMANAGED_METADATA = (
    "name",
    "namespace",
    "creationTimestamp",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


@dataclass(frozen=True)
class FieldManager:
    """A field manager. part: the subresource that is written; "": the object itself."""

    name: str
    operation: str
    part: str = ""


@dataclass(frozen=True)
class ManagedFields:
    """The fields of one manager and the time of its last change."""

    manager: FieldManager
    fields: frozenset[Path]
    version: str
    time: str

    def describe(self) -> str:
        """The manager as named in conflict messages."""
        text = f'"{self.manager.name}"'
        if self.manager.part:
            text += f' with subresource "{self.manager.part}"'
        if self.manager.operation == UPDATE:
            text += f" using {self.version} at {self.time}"
        return text


def parse_managed_fields(document: Object | None) -> list[ManagedFields]:
    """Parse `metadata.managedFields`."""
    entries = (document or {}).get("metadata", {}).get("managedFields") or ()
    return [
        ManagedFields(
            FieldManager(each["manager"], each["operation"], each.get("subresource", "")),
            decode_fields(each.get("fieldsV1") or {}),
            each["apiVersion"],
            each["time"],
        )
        for each in entries
    ]


def _entry(each: ManagedFields) -> Object:
    manager = each.manager
    made: Object = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": each.version,
        "time": each.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": encode_fields(each.fields),
    }
    return {**made, "subresource": manager.part} if manager.part else made


def manageable_fields(resource: ApiResource, document: Object, part: str = "") -> dict[Path, Any]:
    """The fields of a document that can be managed, with their values. part: the subresource that is written."""
    content = {name: content for name, content in document.items() if name not in _UNMANAGED}
    if resource.has_status and part != "status":
        content.pop("status", None)
    metadata = {name: each for name, each in content.get("metadata", {}).items() if name not in _UNMANAGED_METADATA}
    content = (
        {**content, "metadata": metadata} if metadata else {key: content[key] for key in content if key != "metadata"}
    )
    return dict(list_fields(schema_of(resource), content))


def track_update(resource: ApiResource, before: Object | None, after: Object, manager: FieldManager) -> Object:
    """Assign all changed fields to this manager. Returns the new object."""
    old = manageable_fields(resource, before, manager.part) if before else {}
    new = manageable_fields(resource, after, manager.part)
    changed = frozenset(path for path, value in new.items() if path not in old or old[path] != value)
    gone = old.keys() - new.keys()
    entries = {each.manager: each for each in parse_managed_fields(before)}
    for other, entry in entries.items():
        entries[other] = replace(entry, fields=entry.fields - gone - (changed if other != manager else frozenset()))
    if changed:
        mine = entries[manager].fields if manager in entries else frozenset()
        entries[manager] = ManagedFields(manager, mine | changed, resource.api_version, now())
    return _with_managed_fields(after, entries.values())


def apply_configuration(
    resource: ApiResource, live: Object | None, sent: Object, manager: FieldManager, *, force: bool
) -> Object:
    """Apply a configuration. Returns the new object. Raises StatusError (409) if other managers own the fields."""
    schema = schema_of(resource)
    mine = manageable_fields(resource, sent)
    entries = {each.manager: each for each in parse_managed_fields(live)}
    previous = entries.pop(manager, None)
    have = manageable_fields(resource, live) if live else {}
    disputed = {
        each.manager: frozenset(path for path in each.fields & mine.keys() if path in have and have[path] != mine[path])
        for each in entries.values()
    }
    if not force and any(disputed.values()):
        raise _conflict([(entries[other], paths) for other, paths in disputed.items() if paths])
    for other, paths in disputed.items():
        entries[other] = replace(entries[other], fields=entries[other].fields - paths)
    kept = frozenset[Path]().union(*(each.fields for each in entries.values()), mine)
    left = (previous.fields if previous else frozenset[Path]()) - kept
    base = (
        remove_fields(schema, live, {_highest_unmanaged(path, kept) for path in left if not _contains_any(path, kept)})
        if live
        else {}
    )
    made: Object = merge_applied(schema, base, sent)
    same = previous is not None and previous.fields == mine.keys() and previous.version == resource.api_version
    when = previous.time if same and previous else now()
    entries[manager] = ManagedFields(manager, frozenset(mine), resource.api_version, when)
    return _with_managed_fields(made, entries.values())


def _highest_unmanaged(path: Path, kept: frozenset[Path]) -> Path:
    """The highest parent of a removed field in which no other manager owns a field."""
    lengths = range(min(2, len(path)), len(path))
    return next((path[:each] for each in lengths if not _contains_any(path[:each], kept)), path)


def _contains_any(path: Path, others: Iterable[Path]) -> bool:
    """Whether a path contains any of the others."""
    return any(other[: len(path)] == path for other in others)


def _with_managed_fields(document: Object, entries: Iterable[ManagedFields]) -> Object:
    made = copy.copy(document)
    metadata: Mapping[str, Any] = made.get("metadata") or {}
    kept = [_entry(each) for each in entries if each.fields]
    made["metadata"] = {**metadata, "managedFields": kept}
    return made


def _conflict(conflicts: list[tuple[ManagedFields, frozenset[Path]]]) -> StatusError:
    every = [(owner.describe(), format_path(path)) for owner, paths in conflicts for path in sorted(paths)]
    if len(every) == 1:
        text = f"Apply failed with 1 conflict: conflict with {every[0][0]}: {every[0][1]}"
    else:
        text = f"Apply failed with {len(every)} conflicts:"
        for owner, paths in conflicts:
            listed = "".join(f"\n- {format_path(path)}" for path in sorted(paths))
            text += f" conflicts with {owner.describe()}:{listed}"
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": field} for who, field in every
    ]
    return StatusError(409, "Conflict", text, {"causes": causes})


_DIRECTIVE = "$patch"


def apply_json_patch(document: Any, patch: Any) -> Any:
    """Apply a JSON patch (RFC 6902) to a copy. Raises StatusError if it is invalid or does not apply."""
    if not isinstance(patch, list):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    try:
        return jsonpatch.JsonPatch(patch).apply(copy.deepcopy(document))
    except (jsonpatch.JsonPatchException, JsonPointerException) as error:
        raise StatusError(
            422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
        ) from error


def apply_merge_patch(document: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    document = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            document.pop(name, None)
        else:
            document[name] = apply_merge_patch(document.get(name), value)
    return document


def apply_strategic_merge_patch(schema: Schema, document: Any, patch: Any) -> Any:
    """Apply a strategic merge patch: items of keyed lists are merged by key."""
    if isinstance(patch, list):
        return _merge_list(schema, document, patch)
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    if patch.get(_DIRECTIVE) == "replace":
        return {name: value for name, value in patch.items() if name != _DIRECTIVE}
    document = dict(document) if isinstance(document, dict) else {}
    if (kept := patch.get("$retainKeys")) is not None:
        document = {name: value for name, value in document.items() if name in kept}
    for name, value in patch.items():
        if name.startswith("$"):
            _apply_directive(document, name, value)
        elif value is None:
            document.pop(name, None)
        else:
            document[name] = apply_strategic_merge_patch(
                field_schema(schema, name) or ANY_SCHEMA, document.get(name), value
            )
    return document


def _apply_directive(document: dict[str, Any], name: str, value: Any) -> None:
    """Apply `$deleteFromPrimitiveList/NAME`; `$setElementOrder` is ignored."""
    kind, _, field = name.partition("/")
    if kind == "$deleteFromPrimitiveList":
        document[field] = [each for each in document.get(field, ()) if each not in value]


def _merge_list(schema: Schema, document: Any, patch: list[Any]) -> Any:
    key, items = merge_key(schema), list(document or ())
    if any(isinstance(each, dict) and each.get(_DIRECTIVE) == "replace" for each in patch):
        return [each for each in patch if _DIRECTIVE not in each]
    if not key:
        merges = schema.get("x-kubernetes-patch-strategy") == "merge"
        return [*items, *(each for each in patch if each not in items)] if merges else copy.deepcopy(patch)
    for each in patch:
        if isinstance(each, dict) and key not in each:
            shown = " ".join(f"{name}:{value}" for name, value in each.items())
            raise StatusError(500, "", f"map: map[{shown}] does not contain declared merge key: {key}")
        index = next((number for number, old in enumerate(items) if old.get(key) == each.get(key)), None)
        if each.get(_DIRECTIVE) == "delete":
            items = [old for old in items if old.get(key) != each.get(key)]
        elif index is None:
            items.append(copy.deepcopy(each))
        else:
            items[index] = apply_strategic_merge_patch(item_schema(schema), items[index], each)
    return items
