"""Typed access to the API's documents, and their comparison with manifests. Any field may be missing.

The SDK's models take half a second to import for each API group, and reject fields of newer servers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Document: TypeAlias = Mapping[str, object]
"""A Kubernetes object as JSON: a manifest or a response."""


def get_path(document: object, *path: str) -> object:
    """Return the value at a path of keys, None if there is none."""
    for key in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document


def text(document: object, *path: str) -> str:
    """Return a string, "" if there is none."""
    value = get_path(document, *path)
    return value if isinstance(value, str) else ""


def number(document: object, *path: str) -> int:
    """Return an integer, 0 if there is none."""
    value = get_path(document, *path)
    return value if isinstance(value, int) else 0


def flag(document: object, *path: str) -> bool:
    """Whether the value is true."""
    return get_path(document, *path) is True


def table(document: object, *path: str) -> Document:
    """Return a mapping, empty if there is none."""
    value = get_path(document, *path)
    return value if isinstance(value, Mapping) else {}


def texts(document: object, *path: str) -> dict[str, str]:
    """Return a mapping of strings, such as labels."""
    return {key: value for key, value in table(document, *path).items() if isinstance(value, str)}


def rows(document: object, *path: str) -> tuple[Document, ...]:
    """Return a list of mappings, empty if there is none."""
    value = get_path(document, *path)
    return tuple(each for each in value if isinstance(each, Mapping)) if isinstance(value, list) else ()


def name_of(document: object) -> str:
    return text(document, "metadata", "name")


def uid_of(document: object) -> str:
    return text(document, "metadata", "uid")


def condition(document: object, kind: str) -> Document:
    """Return the condition of this type in an object's status, empty if there is none."""
    return next((each for each in rows(document, "status", "conditions") if text(each, "type") == kind), {})


LINE_LIMIT = 6
"""The maximum number of lines."""
CONFIDENTIAL_FIELDS = ("data", "stringData")
"""Fields whose values are never shown."""
EXTENDED_LISTS = (".capabilities.drop", ".tolerations")
"""Lists to which an admission controller may append, as GKE Autopilot appends NET_RAW and a toleration of its nodes."""
ITEM_KEYS = ("name", "type", "containerPort", "mountPath", "port", "host")
"""The fields that identify an item of a list."""


MANAGER = "mldeploy"
"""The field manager's name in server-side apply."""


def compare_manifest(
    desired: Document, actual: Document, *, removed: Sequence[str] = ("metadata", "spec")
) -> tuple[str, ...]:
    """Return the manifest's fields that differ in the object, and those that an earlier manifest had.

    Other fields that only the object has are ignored. removed: the top-level fields that are searched for those of an
    earlier manifest.
    """
    parts = {key: value for key, value in desired.items() if key not in ("apiVersion", "kind")}
    former = {key: each for key, each in applied_fields(actual).items() if key.removeprefix("f:") in removed}
    gone = (f"{path} → none" for path in _removed_fields(former, parts, ""))
    lines = list(dict.fromkeys((*_compare_values(parts, actual, ""), *gone)))
    rest = len(lines) - LINE_LIMIT
    return (*lines[:LINE_LIMIT], f"and {rest} more") if rest > 0 else tuple(lines)


def applied_fields(document: Document) -> Document:
    """Return the fields that mldeploy has applied, as FieldsV1; empty if it has not applied the object.

    https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """
    for each in rows(document, "metadata", "managedFields"):
        if (text(each, "manager"), text(each, "operation")) == (MANAGER, "Apply"):
            return table(each, "fieldsV1")
    return {}


def _removed_fields(applied: Document, desired: object, path: str) -> Iterator[str]:
    """Yield the paths of applied fields that the manifest no longer has."""
    for part, inner in applied.items():
        kind, _, key = part.partition(":")
        if kind == "f":
            here = f"{path}.{key}".lstrip(".")
            if not isinstance(desired, Mapping) or key not in desired:
                yield here
            else:
                yield from _removed_fields(table(inner), desired[key], here)
        elif kind == "k":
            item = _find_item(json.loads(key), desired)
            here = f"{path}[{_item_label(json.loads(key))}]"
            yield from [here] if item is None else _removed_fields(table(inner), item, here)


def _find_item(identity: Document, items: object) -> Document | None:
    known = items if isinstance(items, list) else []
    return next((each for each in known if isinstance(each, Mapping) and identity.items() <= each.items()), None)


def _compare_values(desired: object, actual: object, path: str) -> Iterator[str]:
    if isinstance(desired, Mapping):
        nested = actual if isinstance(actual, Mapping) else {}
        for key, value in desired.items():
            yield from _compare_field(key, value, nested.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(desired, list):
        yield from _compare_items(desired, actual if isinstance(actual, list) else [], path)
    elif desired != actual:
        yield f"{path} {_format_value(actual)} → {_format_value(desired)}"


def _compare_field(key: str, desired: object, actual: object, path: str) -> Iterator[str]:
    if key not in CONFIDENTIAL_FIELDS:
        yield from _compare_values(desired, actual, path)
    elif desired != actual:
        yield f"{path} → that of this configuration"


def _compare_items(desired: Sequence[object], actual: Sequence[object], path: str) -> Iterator[str]:
    if path.endswith(EXTENDED_LISTS):
        actual = [each for each in actual if each in desired]
    if len(desired) != len(actual):
        yield f"{path}: {len(actual)} → {len(desired)}"
        return
    for one, other in zip(desired, actual, strict=True):
        yield from _compare_values(one, other, f"{path}[{_item_label(one)}]")


def _item_label(item: object) -> str:
    if not isinstance(item, Mapping):
        return ""
    return next((str(item[key]) for key in ITEM_KEYS if isinstance(item.get(key), str | int)), "")


def _format_value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else "other content"
