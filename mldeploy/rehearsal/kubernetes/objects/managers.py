"""Who manages which field, and what server-side apply makes of it.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mldeploy.rehearsal.kubernetes.objects.clock import now
from mldeploy.rehearsal.kubernetes.objects.fields import Path, leaves, merged, read, spoken, without, written
from mldeploy.rehearsal.kubernetes.objects.refusals import Refused
from mldeploy.rehearsal.kubernetes.objects.schemas import schema_of
from mldeploy.rehearsal.kubernetes.objects.types import Object, Resource

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
class Manager:
    """Somebody who writes. part: the subresource that is written, "" for the object itself."""

    name: str
    operation: str
    part: str = ""


@dataclass(frozen=True)
class Managed:
    """What one manager has set, and when it changed the last time."""

    manager: Manager
    fields: frozenset[Path]
    version: str
    time: str

    def said(self) -> str:
        """As a conflict names whose a field is."""
        text = f'"{self.manager.name}"'
        if self.manager.part:
            text += f' with subresource "{self.manager.part}"'
        if self.manager.operation == UPDATE:
            text += f" using {self.version} at {self.time}"
        return text


def managed(document: Object | None) -> list[Managed]:
    """What an object says of its managers."""
    entries = (document or {}).get("metadata", {}).get("managedFields") or ()
    return [
        Managed(
            Manager(each["manager"], each["operation"], each.get("subresource", "")),
            read(each.get("fieldsV1") or {}),
            each["apiVersion"],
            each["time"],
        )
        for each in entries
    ]


def _entry(each: Managed) -> Object:
    manager = each.manager
    made: Object = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": each.version,
        "time": each.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": written(each.fields),
    }
    return {**made, "subresource": manager.part} if manager.part else made


def opinions(resource: Resource, document: Object, part: str = "") -> dict[Path, Any]:
    """The fields of a document that can be managed. part: only those that are written through this subresource."""
    told = {name: content for name, content in document.items() if name not in _UNMANAGED}
    if resource.has_status and part != "status":
        told.pop("status", None)
    metadata = {name: each for name, each in told.get("metadata", {}).items() if name not in _UNMANAGED_METADATA}
    told = {**told, "metadata": metadata} if metadata else {key: told[key] for key in told if key != "metadata"}
    return dict(leaves(schema_of(resource), told))


def updated(resource: Resource, before: Object | None, after: Object, manager: Manager) -> Object:
    """The new object, which says that what is other than before was set by this manager."""
    old = opinions(resource, before, manager.part) if before else {}
    new = opinions(resource, after, manager.part)
    changed = frozenset(path for path, value in new.items() if path not in old or old[path] != value)
    gone = old.keys() - new.keys()
    entries = {each.manager: each for each in managed(before)}
    for other, entry in entries.items():
        entries[other] = replace(entry, fields=entry.fields - gone - (changed if other != manager else frozenset()))
    if changed:
        mine = entries[manager].fields if manager in entries else frozenset()
        entries[manager] = Managed(manager, mine | changed, resource.api_version, now())
    return _with(after, entries.values())


def applied(resource: Resource, live: Object | None, sent: Object, manager: Manager, *, force: bool) -> Object:
    """The object as it is once a configuration has been applied. Raises Refused (409) for fields of others."""
    schema = schema_of(resource)
    mine = opinions(resource, sent)
    entries = {each.manager: each for each in managed(live)}
    previous = entries.pop(manager, None)
    have = opinions(resource, live) if live else {}
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
    base = without(schema, live, {_highest(path, kept) for path in left if not _is_above(path, kept)}) if live else {}
    made: Object = merged(schema, base, sent)
    same = previous is not None and previous.fields == mine.keys() and previous.version == resource.api_version
    when = previous.time if same and previous else now()
    entries[manager] = Managed(manager, frozenset(mine), resource.api_version, when)
    return _with(made, entries.values())


def _highest(path: Path, kept: frozenset[Path]) -> Path:
    """What goes with a field: all that it is in, with what was filled in there, as far as nobody has anything in it."""
    lengths = range(min(2, len(path)), len(path))
    return next((path[:each] for each in lengths if not _is_above(path[:each], kept)), path)


def _is_above(path: Path, others: Iterable[Path]) -> bool:
    """Something that is in it belongs to somebody."""
    return any(other[: len(path)] == path for other in others)


def _with(document: Object, entries: Iterable[Managed]) -> Object:
    made = copy.copy(document)
    metadata: Mapping[str, Any] = made.get("metadata") or {}
    kept = [_entry(each) for each in entries if each.fields]
    made["metadata"] = {**metadata, "managedFields": kept}
    return made


def _conflict(found: list[tuple[Managed, frozenset[Path]]]) -> Refused:
    every = [(owner.said(), spoken(path)) for owner, paths in found for path in sorted(paths)]
    if len(every) == 1:
        text = f"Apply failed with 1 conflict: conflict with {every[0][0]}: {every[0][1]}"
    else:
        text = f"Apply failed with {len(every)} conflicts:"
        for owner, paths in found:
            listed = "".join(f"\n- {spoken(path)}" for path in sorted(paths))
            text += f" conflicts with {owner.said()}:{listed}"
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": field} for who, field in every
    ]
    return Refused(409, "Conflict", text, {"causes": causes})
