"""The published schemas of Kubernetes' types, from the package kubernetes-validate.

They define fields, types and list keys, and thereby how configurations are merged.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from mldeploy.rehearsal.kubernetes.objects.types import ApiResource

Schema: TypeAlias = Mapping[str, Any]

RELEASE = "1.36"
"""The Kubernetes release that the stand-in implements."""
ANY_SCHEMA: Schema = {}
"""A schema that allows any value."""
_REFERENCE = "#/$defs/"
_TYPE = "x-type"
_IN_KEYS = {"protocol": "TCP"}
"""Default values of list map keys."""


@cache
def load_definitions() -> Mapping[str, Schema]:
    """All types by their full names."""
    path = _package() / f"kubernetes-json-schema/v{RELEASE}.0-local-strict/_definitions.json"
    loaded: Mapping[str, Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["$defs"]
    return {name: {**schema, _TYPE: name.rpartition(".")[2]} for name, schema in loaded.items()}


def _package() -> Path:
    """The folder of the package. It is not imported, because the import takes 1.5 s."""
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("kubernetes_validate")
    return Path(spec.origin).parent


@cache
def _by_kind() -> Mapping[tuple[str, str, str], Schema]:
    by_kind = {}
    for schema in load_definitions().values():
        for each in schema.get("x-kubernetes-group-version-kind", ()):
            by_kind[each["group"], each["version"], each["kind"]] = schema
    return by_kind


def schema_of(resource: ApiResource) -> Schema:
    """The schema of a Kubernetes or Gateway API type."""
    own = _by_kind().get((resource.group, resource.version, resource.kind))
    return SCHEMAS[resource.kind] if own is None else own


def resolve_reference(schema: Schema) -> Schema:
    """Resolve `$ref`; merge directives (`x-kubernetes-…`) of the reference take precedence."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target = load_definitions()[reference.removeprefix(_REFERENCE)]
    own = {key: value for key, value in schema.items() if key.startswith("x-kubernetes-")}
    return {**target, **own} if own else target


def type_name(schema: Schema) -> str:
    """The short name of a published type, such as `Container`; "" for any other schema."""
    return str(schema.get(_TYPE, ""))


def json_types(schema: Schema) -> frozenset[str]:
    """The JSON types that a value may have; empty: any."""
    if "oneOf" in schema:
        return frozenset().union(*(json_types(each) for each in schema["oneOf"]))
    declared = schema.get("type", ())
    return frozenset([declared] if isinstance(declared, str) else declared)


def field_schema(schema: Schema, name: str) -> Schema | None:
    """The schema of a field; None if there is no such field."""
    properties = schema.get("properties")
    if properties is not None and name in properties:
        return resolve_reference(properties[name])
    more = schema.get("additionalProperties", True)
    if more is False:
        return None
    return resolve_reference(more) if isinstance(more, Mapping) else ANY_SCHEMA


def item_schema(schema: Schema) -> Schema:
    """The schema of a list's items."""
    return resolve_reference(schema.get("items", ANY_SCHEMA))


def list_map_keys(schema: Schema) -> tuple[str, ...]:
    """The key fields of a list's items; empty for an atomic list or a list of values."""
    if schema.get("x-kubernetes-list-type") != "map":
        return ()
    return tuple(schema["x-kubernetes-list-map-keys"])


def is_set(schema: Schema) -> bool:
    """Whether each value of the list has its own manager."""
    return schema.get("x-kubernetes-list-type") == "set"


def is_atomic(schema: Schema) -> bool:
    """Whether the object is managed as a whole, such as a selector."""
    return schema.get("x-kubernetes-map-type") == "atomic"


def merge_key(schema: Schema) -> str:
    """The field that identifies list items in a strategic merge patch; "": the list is replaced."""
    strategy = str(schema.get("x-kubernetes-patch-strategy", ""))
    return str(schema.get("x-kubernetes-patch-merge-key", "")) if "merge" in strategy.split(",") else ""


def item_identity(names: tuple[str, ...], value: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The key fields and values that identify an item of a keyed list."""
    return tuple((name, value.get(name, _IN_KEYS.get(name))) for name in names)


_TEXT: Mapping[str, Any] = MappingProxyType({"type": "string"})
_NUMBER: Mapping[str, Any] = MappingProxyType({"type": "integer"})
_TEXTS: Mapping[str, Any] = MappingProxyType({"type": "object", "additionalProperties": {"type": "string"}})
_OF_KUBERNETES = "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1"


def _object(**fields: Any) -> dict[str, Any]:
    """An object schema with exactly these fields. Append `_` to names that are Python keywords."""
    properties = {name.removesuffix("_"): schema for name, schema in fields.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _list(items: Any, *, by: str = "") -> dict[str, Any]:
    """A list schema. by: key field of its items; "": the list is atomic."""
    if by:
        keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [by]}
        return {"type": "array", "items": items, **keyed}
    return {"type": "array", "items": items, "x-kubernetes-list-type": "atomic"}


def _kind(spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    metadata = {"$ref": f"{_OF_KUBERNETES}.ObjectMeta"}
    return _object(apiVersion=_TEXT, kind=_TEXT, metadata=metadata, spec=spec, status=status)


_CONDITIONS = _list({"$ref": f"{_OF_KUBERNETES}.Condition"}, by="type")
_LOCAL = {"group": _TEXT, "kind": _TEXT, "name": _TEXT}
_OTHER = {**_LOCAL, "namespace": _TEXT}
_PARENT = _object(**_OTHER, sectionName=_TEXT, port=_NUMBER)
_HEADERS = _list(_object(name=_TEXT, value=_TEXT), by="name")
_MODIFIER = _object(set=_HEADERS, add=_HEADERS, remove=_list(_TEXT))
_PATH = _object(type=_TEXT, replaceFullPath=_TEXT, replacePrefixMatch=_TEXT)
_FILTER = _object(
    type=_TEXT,
    requestHeaderModifier=_MODIFIER,
    responseHeaderModifier=_MODIFIER,
    requestMirror=_object(
        backendRef=_object(**_OTHER, port=_NUMBER),
        percent=_NUMBER,
        fraction=_object(numerator=_NUMBER, denominator=_NUMBER),
    ),
    requestRedirect=_object(scheme=_TEXT, hostname=_TEXT, path=_PATH, port=_NUMBER, statusCode=_NUMBER),
    urlRewrite=_object(hostname=_TEXT, path=_PATH),
    extensionRef=_object(**_LOCAL),
)
_MATCH = _object(
    path=_object(type=_TEXT, value=_TEXT),
    headers=_list(_object(type=_TEXT, name=_TEXT, value=_TEXT), by="name"),
    queryParams=_list(_object(type=_TEXT, name=_TEXT, value=_TEXT), by="name"),
    method=_TEXT,
)
_BACKEND = _object(**_OTHER, port=_NUMBER, weight=_NUMBER, filters=_list(_FILTER))
_RULE = _object(
    name=_TEXT,
    matches=_list(_MATCH),
    filters=_list(_FILTER),
    backendRefs=_list(_BACKEND),
    timeouts=_object(request=_TEXT, backendRequest=_TEXT),
)
_LISTENER = _object(
    name=_TEXT,
    hostname=_TEXT,
    port=_NUMBER,
    protocol=_TEXT,
    tls=_object(mode=_TEXT, certificateRefs=_list(_object(**_OTHER)), options=_TEXTS),
    allowedRoutes=_object(
        namespaces=_object(from_=_TEXT, selector={"$ref": f"{_OF_KUBERNETES}.LabelSelector"}),
        kinds=_list(_object(group=_TEXT, kind=_TEXT)),
    ),
)
_ADDRESSES = _list(_object(type=_TEXT, value=_TEXT))
_HEARD = _object(
    name=_TEXT,
    supportedKinds=_list(_object(group=_TEXT, kind=_TEXT)),
    attachedRoutes=_NUMBER,
    conditions=_CONDITIONS,
)

SCHEMAS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "GatewayClass": _kind(
            _object(controllerName=_TEXT, description=_TEXT, parametersRef=_object(**_OTHER)),
            _object(conditions=_CONDITIONS, supportedFeatures=_list(_object(name=_TEXT), by="name")),
        ),
        "Gateway": _kind(
            _object(
                gatewayClassName=_TEXT,
                listeners=_list(_LISTENER, by="name"),
                addresses=_ADDRESSES,
                infrastructure=_object(labels=_TEXTS, annotations=_TEXTS, parametersRef=_object(**_LOCAL)),
            ),
            _object(addresses=_ADDRESSES, conditions=_CONDITIONS, listeners=_list(_HEARD, by="name")),
        ),
        "HTTPRoute": _kind(
            _object(parentRefs=_list(_PARENT), hostnames=_list(_TEXT), rules=_list(_RULE)),
            _object(parents=_list(_object(parentRef=_PARENT, controllerName=_TEXT, conditions=_CONDITIONS))),
        ),
    }
)
"""Schemas by kind."""
