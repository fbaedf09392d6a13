"""Routing by host name and path to a Service, shared by Ingress and HTTPRoute."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from mldeploy.rehearsal.kubernetes.control.services import SocketAddress, ready_addresses
from mldeploy.rehearsal.kubernetes.objects.store import Store


@dataclass(frozen=True)
class Backend:
    """A port of a Service, by number or name. service: "": invalid backend. weight: its share of the requests."""

    namespace: str
    service: str
    port: int | str
    weight: int = 1


@dataclass(frozen=True)
class RoutingRule:
    """Maps a host and a path to backends.

    host: "": any host; `*.example.com`: a wildcard. deep: the wildcard matches any number of labels, otherwise one.
    exact: the path must be equal; otherwise it is a prefix by path elements. secure: redirect HTTP to HTTPS.
    """

    host: str
    path: str
    backends: tuple[Backend, ...]
    exact: bool = False
    deep: bool = False
    secure: bool = False


@dataclass(frozen=True)
class RoutingDecision:
    """A routing result. status: respond with it. addresses: otherwise, forward to the first that accepts."""

    status: HTTPStatus | None = None
    addresses: tuple[SocketAddress, ...] = field(default=())


def covers(pattern: str, host: str, *, deep: bool) -> bool:
    """Whether a pattern matches a host name or includes another pattern."""
    if pattern in ("", host):
        return True
    first, _, rest = pattern.partition(".")
    if first != "*" or not host.endswith(f".{rest}"):
        return False
    return deep or "." not in host.removesuffix(f".{rest}")


def select_rule(rules: Sequence[RoutingRule], host: str, path: str) -> RoutingRule | None:
    """The rule for a request: that of the narrowest host, and of its paths the exact one, else the longest.

    Of equals the first one. https://kubernetes.io/docs/concepts/services-networking/ingress/#multiple-matches
    """
    hosts = {rule.host for rule in rules if covers(rule.host, host, deep=rule.deep)}
    narrowest = max(hosts, key=lambda each: (not each.startswith("*"), len(each)) if each else (False, 0), default=None)
    fitting = [rule for rule in rules if rule.host == narrowest and _leads(rule, path)]
    return max(fitting, key=lambda rule: (rule.exact, len(rule.path)), default=None)


def _leads(rule: RoutingRule, path: str) -> bool:
    if rule.exact:
        return path == rule.path
    begin = rule.path.rstrip("/")
    return path == begin or path.startswith(f"{begin}/")


class RoutingTable:
    """The routing rules at one address, by port. To change the rules, assign a new mapping."""

    def __init__(self, store: Store) -> None:
        self.rules: Mapping[int, Sequence[RoutingRule]] = {}
        self._store = store
        self._turn = itertools.count()

    def decide(self, port: int, host: str, path: str, *, safe: bool) -> RoutingDecision:
        """Route a request. safe: it came over HTTPS."""
        rule = select_rule(self.rules.get(port, ()), host, path)
        if rule is None:
            return RoutingDecision(HTTPStatus.NOT_FOUND)
        if rule.secure and not safe:
            return RoutingDecision(HTTPStatus.PERMANENT_REDIRECT)
        weights = [each.weight for each in rule.backends]
        backend = random.choices(rule.backends, weights)[0] if any(weights) else None  # noqa: S311 - a share, no secret
        if backend is None or not backend.service:
            return RoutingDecision(HTTPStatus.INTERNAL_SERVER_ERROR)
        addresses = ready_addresses(self._store, backend.namespace, backend.service, backend.port)
        if not addresses:
            return RoutingDecision(HTTPStatus.SERVICE_UNAVAILABLE)
        first = next(self._turn) % len(addresses)
        return RoutingDecision(addresses=(*addresses[first:], *addresses[:first]))
