"""Validation of Ingress, GatewayClass, Gateway and HTTPRoute.

https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/,
https://gateway-api.sigs.k8s.io/reference/spec/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusCause,
    duplicate_value,
    invalid_value,
    required_value,
    unsupported_value,
)
from mldeploy.rehearsal.kubernetes.objects.names import (
    is_label,
    is_port_name,
    is_subdomain,
    label_syntax,
    subdomain_syntax,
)
from mldeploy.rehearsal.kubernetes.objects.type_rules import is_ip
from mldeploy.rehearsal.kubernetes.objects.types import Object

_HOST = re.compile(r"(\*\.)?([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SAYS_HOST = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character"
)
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_ROUTE_TYPES = ("Exact", "PathPrefix", "RegularExpression")
_FROM = ("All", "Same", "Selector")
_CLEAR = ("HTTP", "TCP", "UDP")
_FORBIDDEN_PARTS, _FORBIDDEN_ENDS = ("//", "/./", "/../", "%2f"), ("/..", "/.")
_MOST = 64
"""Listeners of a Gateway."""


def validate_ingress(document: Object) -> Iterator[StatusCause]:
    spec = document.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield invalid_value("spec", "", "either `defaultBackend` or `rules` must be specified")
    if spec.get("ingressClassName") and not is_subdomain(spec["ingressClassName"]):
        yield invalid_value("spec.ingressClassName", spec["ingressClassName"], subdomain_syntax())
    if "defaultBackend" in spec:
        yield from _backend(spec["defaultBackend"], "spec.defaultBackend")
    for number, each in enumerate(spec.get("tls") or ()):
        for index, host in enumerate(each.get("hosts") or ()):
            yield from _host(host, f"spec.tls[{number}].hosts[{index}]")
    for number, rule in enumerate(spec.get("rules") or ()):
        yield from _host(rule.get("host", ""), f"spec.rules[{number}].host")
        if "http" in rule and not rule["http"].get("paths"):
            yield required_value(f"spec.rules[{number}].http.paths")
        for index, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            yield from _path(path, f"spec.rules[{number}].http.paths[{index}]")


def _path(path: Object, here: str) -> Iterator[StatusCause]:
    kind, path_value = path.get("pathType"), path.get("path", "")
    if not kind:
        yield required_value(f"{here}.pathType", "pathType must be specified")
    elif kind not in _PATH_TYPES:
        yield unsupported_value(f"{here}.pathType", kind, _PATH_TYPES)
    elif kind != "ImplementationSpecific":
        if not path_value.startswith("/"):
            yield invalid_value(f"{here}.path", path_value, "must be an absolute path")
        for part in _FORBIDDEN_PARTS:
            if part in path_value.lower():
                yield invalid_value(f"{here}.path", path_value, f"must not contain '{part}'")
        for part in _FORBIDDEN_ENDS:
            if path_value.endswith(part):
                yield invalid_value(f"{here}.path", path_value, f"cannot end with '{part}'")
    yield from _backend(path.get("backend") or {}, f"{here}.backend")


def _backend(backend: Object, here: str) -> Iterator[StatusCause]:
    service = backend.get("service")
    if service is None:
        if "resource" not in backend:
            yield invalid_value(here, "", "resource or service backend is required")
        return
    if "resource" in backend:
        yield invalid_value(here, "", "cannot set both resource and service backends")
        return
    port = service.get("port") or {}
    if not service.get("name"):
        yield required_value(f"{here}.service.name")
    elif not is_label(service["name"]):
        yield invalid_value(f"{here}.service.name", service["name"], label_syntax())
    if not port.get("name") and not port.get("number"):
        yield required_value(here, "port name or number is required")
    if port.get("name") and not is_port_name(port["name"]):
        yield invalid_value(f"{here}.service.port.name", port["name"], "must be no more than 15 characters")
    if port.get("name") and port.get("number"):
        yield invalid_value(here, "", "cannot set both port name & port number")


def _host(host: str, here: str) -> Iterator[StatusCause]:
    if is_ip(host):
        yield invalid_value(here, host, "must be a DNS name, not an IP address")
    elif host and not (_HOST.fullmatch(host) and len(host) <= 253):
        yield invalid_value(here, host, _SAYS_HOST)


def validate_gateway_class(document: Object) -> Iterator[StatusCause]:
    if not (document.get("spec") or {}).get("controllerName"):
        yield required_value("spec.controllerName")


def validate_gateway(document: Object) -> Iterator[StatusCause]:
    spec = document.get("spec") or {}
    listeners = spec.get("listeners") or []
    if not spec.get("gatewayClassName"):
        yield required_value("spec.gatewayClassName")
    if not listeners:
        yield required_value("spec.listeners")
    if len(listeners) > _MOST:
        yield StatusCause(
            "spec.listeners", "FieldValueTooMany", f"Too many: {len(listeners)}: must have at most {_MOST} items"
        )
    seen = set()
    for number, each in enumerate(listeners):
        here = f"spec.listeners[{number}]"
        yield from _listener(each, here)
        if each.get("name") in seen:
            yield duplicate_value(f"{here}.name", each["name"])
        seen.add(each.get("name"))


def _listener(each: Object, here: str) -> Iterator[StatusCause]:
    yield from (required_value(f"{here}.{name}") for name in ("name", "port", "protocol") if not each.get(name))
    if each.get("port") and not 1 <= each["port"] <= 65535:
        yield invalid_value(f"{here}.port", each["port"], "should be less than or equal to 65535")
    yield from _host(each.get("hostname", ""), f"{here}.hostname")
    if each.get("protocol") in _CLEAR and "tls" in each:
        yield invalid_value(here, "object", "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']")
    tls = each.get("tls") or {}
    if tls.get("mode") == "Terminate" and not tls.get("certificateRefs") and not tls.get("options"):
        yield invalid_value(
            f"{here}.tls", "object", "certificateRefs or options must be specified when mode is Terminate"
        )
    for index, reference in enumerate(tls.get("certificateRefs") or ()):
        if not reference.get("name"):
            yield required_value(f"{here}.tls.certificateRefs[{index}].name")
    value = ((each.get("allowedRoutes") or {}).get("namespaces") or {}).get("from", "Same")
    if value not in _FROM:
        yield unsupported_value(f"{here}.allowedRoutes.namespaces.from", value, _FROM)


def validate_route(document: Object) -> Iterator[StatusCause]:
    spec = document.get("spec") or {}
    for number, each in enumerate(spec.get("parentRefs") or ()):
        if not each.get("name"):
            yield required_value(f"spec.parentRefs[{number}].name")
    for number, host in enumerate(spec.get("hostnames") or ()):
        yield from _host(host, f"spec.hostnames[{number}]")
    for number, rule in enumerate(spec.get("rules") or ()):
        here = f"spec.rules[{number}]"
        for index, match in enumerate(rule.get("matches") or ()):
            yield from _match(match.get("path") or {}, f"{here}.matches[{index}].path")
        for index, each in enumerate(rule.get("backendRefs") or ()):
            yield from _reference(each, f"{here}.backendRefs[{index}]")


def _match(path: Object, here: str) -> Iterator[StatusCause]:
    kind, value = path.get("type", "PathPrefix"), path.get("value", "/")
    if kind not in _ROUTE_TYPES:
        yield unsupported_value(f"{here}.type", kind, _ROUTE_TYPES)
    elif kind != "RegularExpression" and not value.startswith("/"):
        yield invalid_value(
            here, "object", f"value must be an absolute path and start with '/' when type one of {_ROUTE_TYPES[:2]}"
        )


def _reference(each: Object, here: str) -> Iterator[StatusCause]:
    if not each.get("name"):
        yield required_value(f"{here}.name")
    if (each.get("group", ""), each.get("kind", "Service")) == ("", "Service") and not each.get("port"):
        yield invalid_value(here, "object", "Must have port for Service reference")
