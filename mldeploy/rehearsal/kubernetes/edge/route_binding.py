"""Gateway listeners, and binding of HTTPRoutes to them.

https://gateway-api.sigs.k8s.io/reference/spec/#parentreference, #httproutespec, #listener
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mldeploy.rehearsal.kubernetes.edge.proxy import CertificateError, CertificateStore
from mldeploy.rehearsal.kubernetes.edge.routing import Backend, RoutingRule, covers
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.names import labels_of, matches_selector
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Object, ObjectKey

GROUP = kinds.GATEWAYS.group


@dataclass(frozen=True)
class RouteCondition:
    """A status condition. reason: as the Gateway API defines it."""

    kind: str
    so: bool
    reason: str
    message: str = ""


@dataclass(frozen=True)
class RouteBinding:
    """A route at one of its parent Gateways. hosts: listeners and the host names served there; empty: not bound."""

    accepted: RouteCondition
    resolved: RouteCondition
    hosts: tuple[tuple[Object, tuple[str, ...]], ...] = ()


def bind_route(store: Store, route: Object, reference: Object, gateway: Object) -> RouteBinding:
    """Bind a route to a Gateway that it references."""
    resolved = _resolve_backends(store, route)
    named = [each for each in gateway["spec"]["listeners"] if _is_referenced(reference, each)]
    if not named:
        return _rejected(resolved, "NoMatchingParent", "the Gateway has no such listener")
    allowing = [each for each in named if _allows_route(store, gateway, each, route)]
    if not allowing:
        return _rejected(resolved, "NotAllowedByListeners", "no listener admits routes from this namespace")
    hostnames = route["spec"].get("hostnames") or [""]
    hosts = tuple((each, _common_hosts(each.get("hostname", ""), hostnames)) for each in allowing)
    if not any(names for _, names in hosts):
        return _rejected(resolved, "NoMatchingListenerHostname", "no listener has a hostname of the route's")
    if strange := next(_unsupported_features(route), ""):
        return _rejected(resolved, "UnsupportedValue", f"{strange} is not supported")
    good = RouteCondition("Accepted", True, "Accepted", "Route is accepted")
    return RouteBinding(good, resolved, tuple((listener, names) for listener, names in hosts if names))


def list_route_rules(store: Store, route: Object, hosts: Sequence[str]) -> Iterator[RoutingRule]:
    """List the routing rules of a route for these hosts."""
    for rule in route["spec"].get("rules") or ():
        backends = tuple(_backends(store, route, rule))
        for match in rule.get("matches") or ():
            path = match.get("path") or {}
            exact = path.get("type") == "Exact"
            yield from (RoutingRule(host, path.get("value", "/"), backends, exact, deep=True) for host in hosts)


def _rejected(resolved: RouteCondition, reason: str, message: str) -> RouteBinding:
    return RouteBinding(RouteCondition("Accepted", False, reason, message), resolved)


def _is_referenced(reference: Object, listener: Object) -> bool:
    name, port = reference.get("sectionName"), reference.get("port")
    return name in (None, listener["name"]) and port in (None, listener["port"])


def _allows_route(store: Store, gateway: Object, listener: Object, route: Object) -> bool:
    if listener["protocol"] not in ("HTTP", "HTTPS"):
        return False
    allowed = listener.get("allowedRoutes") or {}
    allowed_kinds = allowed.get("kinds") or ()
    if allowed_kinds and not any(
        (each.get("group", GROUP), each["kind"]) == (GROUP, "HTTPRoute") for each in allowed_kinds
    ):
        return False
    spaces, space = allowed.get("namespaces") or {}, route["metadata"]["namespace"]
    if spaces.get("from", "Same") == "Selector":
        namespace = store.get(ObjectKey(kinds.NAMESPACES, "", space))
        return namespace is not None and matches_selector(spaces.get("selector"), labels_of(namespace))
    return bool(spaces.get("from", "Same") == "All" or space == gateway["metadata"]["namespace"])


def _common_hosts(listener: str, hostnames: Sequence[str]) -> tuple[str, ...]:
    """The intersection of a listener's hostname and a route's hostnames."""
    pairs = ((listener, host) for host in hostnames)
    return tuple(dict.fromkeys(narrow for pair in pairs if (narrow := _narrower(*pair)) is not None))


def _narrower(one: str, other: str) -> str | None:
    if covers(one, other, deep=True):
        return other or one
    return one if covers(other, one, deep=True) else None


def _unsupported_features(route: Object) -> Iterator[str]:
    """List the route features that are not supported."""
    for rule in route["spec"].get("rules") or ():
        for each in rule.get("filters") or ():
            yield f"the filter {each['type']}"
        for match in rule.get("matches") or ():
            yield from (f"a match by {name}" for name in ("headers", "method", "queryParams") if match.get(name))
            if (match.get("path") or {}).get("type") == "RegularExpression":
                yield "a match by RegularExpression"


def _resolve_backends(store: Store, route: Object) -> RouteCondition:
    for rule in route["spec"].get("rules") or ():
        for reference in rule.get("backendRefs") or ():
            if problem := _backend_problem(store, route, reference):
                return RouteCondition("ResolvedRefs", False, *problem)
    return RouteCondition("ResolvedRefs", True, "ResolvedRefs", "All references are resolved")


def _backend_problem(store: Store, route: Object, reference: Object) -> tuple[str, str] | None:
    """Reason and message if a backend reference is invalid; None if it is valid."""
    own, name = route["metadata"]["namespace"], reference["name"]
    if (reference.get("group", ""), reference.get("kind", "Service")) != ("", "Service"):
        return "InvalidKind", f"{reference.get('kind')} {name} is no Service"
    if reference.get("namespace", own) != own:
        return "RefNotPermitted", f"Service {name} is in another namespace, and no ReferenceGrant permits it"
    service = store.get(ObjectKey(kinds.SERVICES, own, name))
    if service is None:
        return "BackendNotFound", f"Service {own}/{name} was not found"
    if not any(each["port"] == reference.get("port") for each in service["spec"].get("ports", ())):
        return "BackendNotFound", f"Service {own}/{name} has no port {reference.get('port')}"
    return None


def _backends(store: Store, route: Object, rule: Object) -> Iterator[Backend]:
    """List the backends. An invalid backend keeps its weight, and its requests fail."""
    for each in rule.get("backendRefs") or ():
        name = "" if _backend_problem(store, route, each) else each["name"]
        yield Backend(route["metadata"]["namespace"], name, each.get("port", 0), each.get("weight", 1))


PROTOCOLS = ("HTTP", "HTTPS")


@dataclass(frozen=True)
class GatewayListener:
    """A listener. host: name or pattern; "": all. unsupported, unresolved: reason and message; empty: valid."""

    name: str
    port: int
    protocol: str
    host: str
    context: ssl.SSLContext | None = None
    unsupported: tuple[str, str] = ("", "")
    unresolved: tuple[str, str] = ("", "")

    @property
    def is_safe(self) -> bool:
        return self.protocol == "HTTPS"

    @property
    def is_good(self) -> bool:
        """Whether it may listen: its protocol is supported and its certificates are valid."""
        return not self.unsupported[0] and not self.unresolved[0]


def examine_listeners(keys: CertificateStore, gateway: Object) -> Sequence[GatewayListener]:
    """Validate all listeners of a Gateway."""
    return [_examine_listener(keys, gateway, each) for each in gateway["spec"]["listeners"]]


def _examine_listener(keys: CertificateStore, gateway: Object, each: Object) -> GatewayListener:
    name, port, protocol, host = each["name"], each["port"], each["protocol"], each.get("hostname", "")
    if protocol not in PROTOCOLS:
        why = ("UnsupportedProtocol", f"{protocol} is none of {', '.join(PROTOCOLS)}")
        return GatewayListener(name, port, protocol, host, unsupported=why)
    others = gateway["spec"]["listeners"]
    if any(other["port"] == port and other["protocol"] != protocol for other in others):
        return GatewayListener(
            name, port, protocol, host, unsupported=("ProtocolConflict", f"port {port} has two protocols")
        )
    if protocol == "HTTP":
        return GatewayListener(name, port, protocol, host)
    tls = each.get("tls") or {}
    if tls.get("mode", "Terminate") != "Terminate":
        return GatewayListener(
            name, port, protocol, host, unsupported=("UnsupportedValue", "only Terminate is supported")
        )
    context, problem = _listener_context(keys, gateway["metadata"]["namespace"], tls, host)
    return GatewayListener(name, port, protocol, host, context, unresolved=problem)


def _listener_context(
    keys: CertificateStore, own: str, tls: Object, host: str
) -> tuple[ssl.SSLContext | None, tuple[str, str]]:
    for reference in tls.get("certificateRefs") or ():
        namespace, name = reference.get("namespace", own), reference["name"]
        if (reference.get("group", ""), reference.get("kind", "Secret")) != ("", "Secret"):
            return None, ("InvalidCertificateRef", f"{reference.get('kind')} {name} is no Secret")
        if namespace != own:
            text = f"Secret {name} is in another namespace, and no ReferenceGrant permits it"
            return None, ("RefNotPermitted", text)
        try:
            return keys.context(namespace, name, host), ("", "")
        except CertificateError as error:
            return None, ("InvalidCertificateRef", str(error))
    return None, ("InvalidCertificateRef", "certificateRefs names no certificate")
