"""Sets of fields: which fields a configuration has, and how they are written into `managedFields`.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from mldeploy.rehearsal.kubernetes.objects.schemas import (
    FREE,
    Schema,
    child,
    identity,
    is_set,
    is_whole,
    item,
    keys,
)

Path: TypeAlias = tuple[str, ...]
"""A field, each part as FieldsV1 writes it: `f:NAME`, `k:{"name":"app"}` of a keyed list, `v:VALUE` of a set."""

_ITSELF = "."
_PRESENT = object()
"""The value of a place that is there, of which nothing else can be said."""


def leaves(schema: Schema, value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The fields that whoever sends this configuration has an opinion of, and which."""
    if isinstance(value, dict) and value and not is_whole(schema):
        for name, content in value.items():
            yield from leaves(child(schema, name) or FREE, content, (*path, f"f:{name}"))
    elif isinstance(value, list) and value and keys(schema):
        for each in value:
            place = (*path, _key(schema, each))
            yield place, _PRESENT
            yield from leaves(item(schema), each, place)
    elif isinstance(value, list) and value and is_set(schema):
        yield from (((*path, f"v:{_json(each)}"), each) for each in value)
    elif path:
        yield path, value


def _key(schema: Schema, value: Mapping[str, Any]) -> str:
    return f"k:{_json(dict(identity(keys(schema), value)))}"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def merged(schema: Schema, live: Any, applied: Any) -> Any:
    """What is there once a configuration has been laid over it. Neither is changed."""
    if isinstance(applied, dict) and isinstance(live, dict) and not is_whole(schema):
        changed = {name: merged(child(schema, name) or FREE, live.get(name), each) for name, each in applied.items()}
        return {**live, **changed}
    if isinstance(applied, list) and isinstance(live, list) and keys(schema):
        return _merged_lists(schema, live, applied)
    if isinstance(applied, list) and isinstance(live, list) and is_set(schema):
        return [*live, *(each for each in applied if each not in live)]
    return copy.deepcopy(applied)


def _merged_lists(schema: Schema, live: list[Any], applied: list[Any]) -> list[Any]:
    there, sent = ({_key(schema, each): each for each in some} for some in (live, applied))
    made = {key: merged(item(schema), there.get(key), each) for key, each in sent.items()}
    if there.keys() <= sent.keys():
        return list(made.values())
    return [made.pop(key, each) for key, each in there.items()] + list(made.values())


def without(schema: Schema, value: Any, paths: Iterable[Path]) -> Any:
    """A copy that lacks these fields, and what is empty for that reason."""
    made = copy.deepcopy(value)
    for path in sorted(paths, key=len):  # an item of a list goes while it still has what it is known by
        _remove(schema, made, path)
    return made


def _remove(schema: Schema, value: Any, path: Path) -> None:
    first, rest = path[0], path[1:]
    if isinstance(value, dict):
        name = first.removeprefix("f:")
        if name not in value:
            return
        if rest:
            _remove(child(schema, name) or FREE, value[name], rest)
        if not rest or value[name] in ({}, []):
            del value[name]
    elif isinstance(value, list) and first.startswith("v:"):
        value[:] = [each for each in value if f"v:{_json(each)}" != first]
    elif isinstance(value, list):
        found = next((each for each in value if _key(schema, each) == first), None)
        if found is not None and rest:
            _remove(item(schema), found, rest)
        elif found is not None:
            value.remove(found)


def written(paths: Iterable[Path]) -> dict[str, Any]:
    """As FieldsV1."""
    tree: dict[str, Any] = {}
    every = set(paths)
    for path in sorted(every):
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        if any(len(other) > len(path) and other[: len(path)] == path for other in every):
            node[_ITSELF] = {}
    return tree


def read(tree: Mapping[str, Any], path: Path = ()) -> frozenset[Path]:
    """From FieldsV1."""
    found: set[Path] = set()
    for part, inner in tree.items():
        if part == _ITSELF:
            found.add(path)
        elif inner:
            found |= read(inner, (*path, part))
        else:
            found.add((*path, part))
    return frozenset(found)


def spoken(path: Path) -> str:
    """As a conflict names it: `.spec.template.spec.containers[name="app"].image`."""
    said = ""
    for part in path:
        kind, _, content = part.partition(":")
        if kind == "f":
            said += f".{content}"
        elif kind == "k":
            said += f"[{','.join(f'{name}={_json(value)}' for name, value in json.loads(content).items())}]"
        else:
            said += f"[={content}]"
    return said
