"""The published schemas of Kubernetes' types, as the package kubernetes-validate carries them.

They say which fields there are and of which type, which lists are keyed, and so how two configurations are merged.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from mldeploy.rehearsal.kubernetes.objects import gateway_schemas
from mldeploy.rehearsal.kubernetes.objects.types import Resource

Schema: TypeAlias = Mapping[str, Any]

RELEASE = "1.33"
"""The release of Kubernetes that is played."""
FREE: Schema = {}
"""Says nothing of what it describes."""
_REFERENCE = "#/$defs/"
_IN_KEYS = {"protocol": "TCP"}
"""What a key of a keyed list is where it is left out."""


@cache
def definitions() -> Mapping[str, Schema]:
    """All types by their full names."""
    place = _package() / f"kubernetes-json-schema/v{RELEASE}.0-local-strict/_definitions.json"
    found: Mapping[str, Schema] = json.loads(place.read_text(encoding="utf-8"))["$defs"]
    return found


def _package() -> Path:
    """The folder of the package, which is not imported: it reads grammars for 1.5 s, for a check of its own."""
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("kubernetes_validate")
    return Path(spec.origin).parent


@cache
def _by_kind() -> Mapping[tuple[str, str, str], Schema]:
    found = {}
    for schema in definitions().values():
        for each in schema.get("x-kubernetes-group-version-kind", ()):
            found[each["group"], each["version"], each["kind"]] = schema
    return found


def schema_of(resource: Resource) -> Schema:
    """Of Kubernetes' own types, and of those of the Gateway API."""
    own = _by_kind().get((resource.group, resource.version, resource.kind))
    return gateway_schemas.SCHEMAS[resource.kind] if own is None else own


def resolved(schema: Schema) -> Schema:
    """The type itself, with what the place that refers to it says of merging."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found = definitions()[reference.removeprefix(_REFERENCE)]
    own = {key: value for key, value in schema.items() if key.startswith("x-kubernetes-")}
    return {**found, **own} if own else found


def types(schema: Schema) -> frozenset[str]:
    """The JSON types that a value may have; empty: any."""
    if "oneOf" in schema:
        return frozenset().union(*(types(each) for each in schema["oneOf"]))
    said = schema.get("type", ())
    return frozenset([said] if isinstance(said, str) else said)


def child(schema: Schema, name: str) -> Schema | None:
    """What a field of an object is; None if it has none of that name."""
    properties = schema.get("properties")
    if properties is not None and name in properties:
        return resolved(properties[name])
    more = schema.get("additionalProperties", True)
    if more is False:
        return None
    return resolved(more) if isinstance(more, Mapping) else FREE


def item(schema: Schema) -> Schema:
    """What is in a list."""
    return resolved(schema.get("items", FREE))


def keys(schema: Schema) -> tuple[str, ...]:
    """By which fields the items of a list are told apart; empty for a list that is set as a whole, or of values."""
    if schema.get("x-kubernetes-list-type") != "map":
        return ()
    return tuple(schema["x-kubernetes-list-map-keys"])


def is_set(schema: Schema) -> bool:
    """It is a list of which each value has an owner."""
    return schema.get("x-kubernetes-list-type") == "set"


def is_whole(schema: Schema) -> bool:
    """It is an object that is only set as a whole, such as a selector."""
    return schema.get("x-kubernetes-map-type") == "atomic"


def merge_key(schema: Schema) -> str:
    """By which field a strategic merge patch tells the items of a list apart; "": it replaces the list."""
    strategy = str(schema.get("x-kubernetes-patch-strategy", ""))
    return str(schema.get("x-kubernetes-patch-merge-key", "")) if "merge" in strategy.split(",") else ""


def identity(names: tuple[str, ...], value: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """What tells an item of a keyed list from the others."""
    return tuple((name, value.get(name, _IN_KEYS.get(name))) for name in names)
