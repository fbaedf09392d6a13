"""Which fields the objects of the Gateway API have: its standard channel, v1.

They are no types of Kubernetes' own: https://gateway-api.sigs.k8s.io/reference/spec/ has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_TEXT: Mapping[str, Any] = MappingProxyType({"type": "string"})
_NUMBER: Mapping[str, Any] = MappingProxyType({"type": "integer"})
_TEXTS: Mapping[str, Any] = MappingProxyType({"type": "object", "additionalProperties": {"type": "string"}})
_OF_KUBERNETES = "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1"


def _object(**fields: Any) -> dict[str, Any]:
    """With these fields and no others; a name that is a word of Python's ends with a `_`."""
    properties = {name.removesuffix("_"): schema for name, schema in fields.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _list(items: Any, *, by: str = "") -> dict[str, Any]:
    """by: what tells its items apart; "": it is only set as a whole."""
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
"""By kind."""
