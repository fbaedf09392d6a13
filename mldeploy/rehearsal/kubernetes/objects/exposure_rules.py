"""What is wrong with an Ingress, or with what the Gateway API has in its place, that is built as it should be.

https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/,
https://gateway-api.sigs.k8s.io/reference/spec/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mldeploy.rehearsal.kubernetes.objects.refusals import Cause, duplicate, required, unsupported, wrong
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
_MOST = 64
"""Listeners of a Gateway."""


def ingress(document: Object) -> Iterator[Cause]:
    spec = document.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield wrong("spec", "", "either `defaultBackend` or `rules` must be specified")
    if "defaultBackend" in spec:
        yield from _backend(spec["defaultBackend"], "spec.defaultBackend")
    for number, each in enumerate(spec.get("tls") or ()):
        for place, host in enumerate(each.get("hosts") or ()):
            yield from _host(host, f"spec.tls[{number}].hosts[{place}]")
    for number, rule in enumerate(spec.get("rules") or ()):
        yield from _host(rule.get("host", ""), f"spec.rules[{number}].host")
        for place, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            yield from _path(path, f"spec.rules[{number}].http.paths[{place}]")


def _path(path: Object, here: str) -> Iterator[Cause]:
    kind, said = path.get("pathType"), path.get("path", "")
    if not kind:
        yield required(f"{here}.pathType", "pathType must be specified")
    elif kind not in _PATH_TYPES:
        yield unsupported(f"{here}.pathType", kind, _PATH_TYPES)
    elif kind != "ImplementationSpecific" and not said.startswith("/"):
        yield wrong(f"{here}.path", said, "must be an absolute path")
    if not path.get("backend"):
        yield required(f"{here}.backend")
    else:
        yield from _backend(path["backend"], f"{here}.backend")


def _backend(backend: Object, here: str) -> Iterator[Cause]:
    service = backend.get("service")
    if service is None:
        if "resource" not in backend:
            yield required(here, "resource or service backend is required")
        return
    port = service.get("port") or {}
    if not service.get("name"):
        yield required(f"{here}.service.name")
    if not port.get("name") and not port.get("number"):
        yield required(f"{here}.service.port", "port name or number is required")
    if port.get("name") and port.get("number"):
        yield wrong(f"{here}.service.port", "", "cannot set both port name & port number")


def _host(host: str, here: str) -> Iterator[Cause]:
    if host and not _HOST.fullmatch(host):
        yield wrong(here, host, _SAYS_HOST)


def gateway_class(document: Object) -> Iterator[Cause]:
    if not (document.get("spec") or {}).get("controllerName"):
        yield required("spec.controllerName")


def gateway(document: Object) -> Iterator[Cause]:
    spec = document.get("spec") or {}
    listeners = spec.get("listeners") or []
    if not spec.get("gatewayClassName"):
        yield required("spec.gatewayClassName")
    if not listeners:
        yield required("spec.listeners")
    if len(listeners) > _MOST:
        yield Cause(
            "spec.listeners", "FieldValueTooMany", f"Too many: {len(listeners)}: must have at most {_MOST} items"
        )
    seen = set()
    for number, each in enumerate(listeners):
        here = f"spec.listeners[{number}]"
        yield from _listener(each, here)
        if each.get("name") in seen:
            yield duplicate(f"{here}.name", each["name"])
        seen.add(each.get("name"))


def _listener(each: Object, here: str) -> Iterator[Cause]:
    yield from (required(f"{here}.{name}") for name in ("name", "port", "protocol") if not each.get(name))
    if each.get("port") and not 1 <= each["port"] <= 65535:
        yield wrong(f"{here}.port", each["port"], "should be less than or equal to 65535")
    yield from _host(each.get("hostname", ""), f"{here}.hostname")
    if each.get("protocol") in _CLEAR and "tls" in each:
        yield wrong(here, "object", "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']")
    tls = each.get("tls") or {}
    if tls.get("mode") == "Terminate" and not tls.get("certificateRefs") and not tls.get("options"):
        yield wrong(f"{here}.tls", "object", "certificateRefs or options must be specified when mode is Terminate")
    for place, reference in enumerate(tls.get("certificateRefs") or ()):
        if not reference.get("name"):
            yield required(f"{here}.tls.certificateRefs[{place}].name")
    said = ((each.get("allowedRoutes") or {}).get("namespaces") or {}).get("from", "Same")
    if said not in _FROM:
        yield unsupported(f"{here}.allowedRoutes.namespaces.from", said, _FROM)


def route(document: Object) -> Iterator[Cause]:
    spec = document.get("spec") or {}
    for number, each in enumerate(spec.get("parentRefs") or ()):
        if not each.get("name"):
            yield required(f"spec.parentRefs[{number}].name")
    for number, host in enumerate(spec.get("hostnames") or ()):
        yield from _host(host, f"spec.hostnames[{number}]")
    for number, rule in enumerate(spec.get("rules") or ()):
        here = f"spec.rules[{number}]"
        for place, match in enumerate(rule.get("matches") or ()):
            yield from _match(match.get("path") or {}, f"{here}.matches[{place}].path")
        for place, each in enumerate(rule.get("backendRefs") or ()):
            yield from _reference(each, f"{here}.backendRefs[{place}]")


def _match(path: Object, here: str) -> Iterator[Cause]:
    kind, value = path.get("type", "PathPrefix"), path.get("value", "/")
    if kind not in _ROUTE_TYPES:
        yield unsupported(f"{here}.type", kind, _ROUTE_TYPES)
    elif kind != "RegularExpression" and not value.startswith("/"):
        yield wrong(
            here, "object", f"value must be an absolute path and start with '/' when type one of {_ROUTE_TYPES[:2]}"
        )


def _reference(each: Object, here: str) -> Iterator[Cause]:
    if not each.get("name"):
        yield required(f"{here}.name")
    if (each.get("group", ""), each.get("kind", "Service")) == ("", "Service") and not each.get("port"):
        yield wrong(here, "object", "Must have port for Service reference")
