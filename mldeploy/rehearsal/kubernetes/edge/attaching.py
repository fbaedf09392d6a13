"""Which of a Gateway's listeners admit which routes, and why others do not.

https://gateway-api.sigs.k8s.io/reference/spec/#parentreference, #httproutespec, #listener
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mldeploy.rehearsal.kubernetes.edge.routing import Backend, Rule, covers
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.selectors import labels_of, selects
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object

GROUP = kinds.GATEWAYS.group


@dataclass(frozen=True)
class Said:
    """A condition. reason: the Gateway API's own word."""

    kind: str
    so: bool
    reason: str
    message: str = ""


@dataclass(frozen=True)
class Attachment:
    """What a route is at one of its parents. hosts: by listener, those for which it is asked there; none: at none."""

    accepted: Said
    resolved: Said
    hosts: tuple[tuple[Object, tuple[str, ...]], ...] = ()


def attached(store: Store, route: Object, reference: Object, gateway: Object) -> Attachment:
    """A route at a Gateway that it names."""
    resolved = _resolved(store, route)
    named = [each for each in gateway["spec"]["listeners"] if _is_meant(reference, each)]
    if not named:
        return _refused(resolved, "NoMatchingParent", "the Gateway has no such listener")
    allowing = [each for each in named if _admits(store, gateway, each, route)]
    if not allowing:
        return _refused(resolved, "NotAllowedByListeners", "no listener admits routes from this namespace")
    wanted = route["spec"].get("hostnames") or [""]
    hosts = tuple((each, _common(each.get("hostname", ""), wanted)) for each in allowing)
    if not any(names for _, names in hosts):
        return _refused(resolved, "NoMatchingListenerHostname", "no listener has a hostname of the route's")
    if strange := next(_strange(route), ""):
        return _refused(resolved, "UnsupportedValue", f"{strange} is not supported")
    good = Said("Accepted", True, "Accepted", "Route is accepted")
    return Attachment(good, resolved, tuple((listener, names) for listener, names in hosts if names))


def rules_of(store: Store, route: Object, hosts: Sequence[str]) -> Iterator[Rule]:
    """A route's, for the hosts that it is asked for."""
    for rule in route["spec"].get("rules") or ():
        backends = tuple(_backends(store, route, rule))
        for match in rule.get("matches") or ():
            path = match.get("path") or {}
            exact = path.get("type") == "Exact"
            yield from (Rule(host, path.get("value", "/"), backends, exact, deep=True) for host in hosts)


def _refused(resolved: Said, reason: str, message: str) -> Attachment:
    return Attachment(Said("Accepted", False, reason, message), resolved)


def _is_meant(reference: Object, listener: Object) -> bool:
    name, port = reference.get("sectionName"), reference.get("port")
    return name in (None, listener["name"]) and port in (None, listener["port"])


def _admits(store: Store, gateway: Object, listener: Object, route: Object) -> bool:
    if listener["protocol"] not in ("HTTP", "HTTPS"):
        return False
    allowed = listener.get("allowedRoutes") or {}
    kinds_said = allowed.get("kinds") or ()
    if kinds_said and not any((each.get("group", GROUP), each["kind"]) == (GROUP, "HTTPRoute") for each in kinds_said):
        return False
    spaces, space = allowed.get("namespaces") or {}, route["metadata"]["namespace"]
    if spaces.get("from", "Same") == "Selector":
        found = store.get(Key(kinds.NAMESPACES, "", space))
        return found is not None and selects(spaces.get("selector"), labels_of(found))
    return bool(spaces.get("from", "Same") == "All" or space == gateway["metadata"]["namespace"])


def _common(listener: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """What a listener's hostname and a route's have in common: of each pair the narrower one."""
    pairs = ((listener, host) for host in wanted)
    return tuple(dict.fromkeys(narrow for pair in pairs if (narrow := _narrower(*pair)) is not None))


def _narrower(one: str, other: str) -> str | None:
    if covers(one, other, deep=True):
        return other or one
    return one if covers(other, one, deep=True) else None


def _strange(route: Object) -> Iterator[str]:
    """What of a route nobody here does."""
    for rule in route["spec"].get("rules") or ():
        for each in rule.get("filters") or ():
            yield f"the filter {each['type']}"
        for match in rule.get("matches") or ():
            yield from (f"a match by {name}" for name in ("headers", "method", "queryParams") if match.get(name))
            if (match.get("path") or {}).get("type") == "RegularExpression":
                yield "a match by RegularExpression"


def _resolved(store: Store, route: Object) -> Said:
    for rule in route["spec"].get("rules") or ():
        for reference in rule.get("backendRefs") or ():
            if problem := _problem(store, route, reference):
                return Said("ResolvedRefs", False, *problem)
    return Said("ResolvedRefs", True, "ResolvedRefs", "All references are resolved")


def _problem(store: Store, route: Object, reference: Object) -> tuple[str, str] | None:
    """Why a backend is none."""
    own, name = route["metadata"]["namespace"], reference["name"]
    if (reference.get("group", ""), reference.get("kind", "Service")) != ("", "Service"):
        return "InvalidKind", f"{reference.get('kind')} {name} is no Service"
    if reference.get("namespace", own) != own:
        return "RefNotPermitted", f"Service {name} is in another namespace, and no ReferenceGrant permits it"
    service = store.get(Key(kinds.SERVICES, own, name))
    if service is None:
        return "BackendNotFound", f"Service {own}/{name} was not found"
    if not any(each["port"] == reference.get("port") for each in service["spec"].get("ports", ())):
        return "BackendNotFound", f"Service {own}/{name} has no port {reference.get('port')}"
    return None


def _backends(store: Store, route: Object, rule: Object) -> Iterator[Backend]:
    """One that is none gets its share of the requests all the same."""
    for each in rule.get("backendRefs") or ():
        name = "" if _problem(store, route, each) else each["name"]
        yield Backend(route["metadata"]["namespace"], name, each.get("port", 0), each.get("weight", 1))
