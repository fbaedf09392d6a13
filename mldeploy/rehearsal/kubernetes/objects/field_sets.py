"""Field sets: the fields of a configuration and their encoding in `managedFields` (FieldsV1).

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from mldeploy.rehearsal.kubernetes.objects.schemas import (
    ANY_SCHEMA,
    Schema,
    field_schema,
    is_atomic,
    is_set,
    item_identity,
    item_schema,
    list_map_keys,
)

Path: TypeAlias = tuple[str, ...]
"""A field, each part as FieldsV1 writes it: `f:NAME`, `k:{"name":"app"}` of a keyed list, `v:VALUE` of a set."""

_ITSELF = "."
_PRESENT = object()
"""The value of a list item itself."""


def list_fields(schema: Schema, value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """List the fields that a configuration sets, with their values."""
    if isinstance(value, dict) and value and not is_atomic(schema):
        for name, content in value.items():
            yield from list_fields(field_schema(schema, name) or ANY_SCHEMA, content, (*path, f"f:{name}"))
    elif isinstance(value, list) and value and list_map_keys(schema):
        for each in value:
            item_path = (*path, _key(schema, each))
            yield item_path, _PRESENT
            yield from list_fields(item_schema(schema), each, item_path)
    elif isinstance(value, list) and value and is_set(schema):
        yield from (((*path, f"v:{_json(each)}"), each) for each in value)
    elif path:
        yield path, value


def _key(schema: Schema, value: Mapping[str, Any]) -> str:
    return f"k:{_json(dict(item_identity(list_map_keys(schema), value)))}"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def merge_applied(schema: Schema, live: Any, applied: Any) -> Any:
    """Merge an applied configuration into the live value. The arguments are not modified."""
    if isinstance(applied, dict) and isinstance(live, dict) and not is_atomic(schema):
        changed = {
            name: merge_applied(field_schema(schema, name) or ANY_SCHEMA, live.get(name), each)
            for name, each in applied.items()
        }
        return {**live, **changed}
    if isinstance(applied, list) and isinstance(live, list) and list_map_keys(schema):
        return _merge_lists(schema, live, applied)
    if isinstance(applied, list) and isinstance(live, list) and is_set(schema):
        return [*live, *(each for each in applied if each not in live)]
    return copy.deepcopy(applied)


def _merge_lists(schema: Schema, live: list[Any], applied: list[Any]) -> list[Any]:
    there, sent = ({_key(schema, each): each for each in some} for some in (live, applied))
    result = {key: merge_applied(item_schema(schema), there.get(key), each) for key, each in sent.items()}
    if there.keys() <= sent.keys():
        return list(result.values())
    return [result.pop(key, each) for key, each in there.items()] + list(result.values())


def remove_fields(schema: Schema, value: Any, paths: Iterable[Path]) -> Any:
    """A copy without these fields and without parents that become empty."""
    result = copy.deepcopy(value)
    for path in sorted(paths, key=len):  # remove list items before their keys
        _remove(schema, result, path)
    return result


def _remove(schema: Schema, value: Any, path: Path) -> None:
    first, rest = path[0], path[1:]
    if isinstance(value, dict):
        name = first.removeprefix("f:")
        if name not in value:
            return
        if rest:
            _remove(field_schema(schema, name) or ANY_SCHEMA, value[name], rest)
        if not rest or value[name] in ({}, []):
            del value[name]
    elif isinstance(value, list) and first.startswith("v:"):
        value[:] = [each for each in value if f"v:{_json(each)}" != first]
    elif isinstance(value, list):
        entry = next((each for each in value if _key(schema, each) == first), None)
        if entry is not None and rest:
            _remove(item_schema(schema), entry, rest)
        elif entry is not None:
            value.remove(entry)


def encode_fields(paths: Iterable[Path]) -> dict[str, Any]:
    """Encode field paths as FieldsV1."""
    tree: dict[str, Any] = {}
    every = set(paths)
    for path in sorted(every):
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        if any(len(other) > len(path) and other[: len(path)] == path for other in every):
            node[_ITSELF] = {}
    return tree


def decode_fields(tree: Mapping[str, Any], path: Path = ()) -> frozenset[Path]:
    """Decode FieldsV1 into field paths."""
    paths: set[Path] = set()
    for part, inner in tree.items():
        if part == _ITSELF:
            paths.add(path)
        elif inner:
            paths |= decode_fields(inner, (*path, part))
        else:
            paths.add((*path, part))
    return frozenset(paths)


def format_path(path: Path) -> str:
    """Format a path as in conflict messages: `.spec.template.spec.containers[name="app"].image`."""
    text = ""
    for part in path:
        kind, _, content = part.partition(":")
        if kind == "f":
            text += f".{content}"
        elif kind == "k":
            text += f"[{','.join(f'{name}={_json(value)}' for name, value in json.loads(content).items())}]"
        else:
            text += f"[={content}]"
    return text
