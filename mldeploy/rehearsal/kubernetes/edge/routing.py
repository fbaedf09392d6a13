"""From a host name and a path to a Service: what an Ingress and an HTTPRoute have in common."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from mldeploy.rehearsal.kubernetes.control.endpoints import Place, serving
from mldeploy.rehearsal.kubernetes.objects.store import Store


@dataclass(frozen=True)
class Backend:
    """A port of a Service, by number or by name. service: "": there is none. weight: it gets so many parts of all."""

    namespace: str
    service: str
    port: int | str
    weight: int = 1


@dataclass(frozen=True)
class Rule:
    """Requests for a host and a path, and where they lead.

    host: "": whatever it is; `*.example.com`: what is below it; deep: at any depth, otherwise by one label. exact: the
    path is this one; otherwise it begins with it, whole elements of it. secure: who asks over HTTP is sent to HTTPS.
    """

    host: str
    path: str
    backends: tuple[Backend, ...]
    exact: bool = False
    deep: bool = False
    secure: bool = False


@dataclass(frozen=True)
class Way:
    """What becomes of a request. status: it is answered at once. places: it goes to the first one that accepts it."""

    status: HTTPStatus | None = None
    places: tuple[Place, ...] = field(default=())


def covers(pattern: str, host: str, *, deep: bool) -> bool:
    """Whether a host name, or another pattern, is among those that a pattern stands for."""
    if pattern in ("", host):
        return True
    first, _, rest = pattern.partition(".")
    if first != "*" or not host.endswith(f".{rest}"):
        return False
    return deep or "." not in host.removesuffix(f".{rest}")


def chosen(rules: Sequence[Rule], host: str, path: str) -> Rule | None:
    """The rule for a request: that of the narrowest host, and of its paths the exact one, else the longest.

    Of equals the first one. https://kubernetes.io/docs/concepts/services-networking/ingress/#multiple-matches
    """
    hosts = {rule.host for rule in rules if covers(rule.host, host, deep=rule.deep)}
    narrowest = max(hosts, key=lambda each: (not each.startswith("*"), len(each)) if each else (False, 0), default=None)
    fitting = [rule for rule in rules if rule.host == narrowest and _leads(rule, path)]
    return max(fitting, key=lambda rule: (rule.exact, len(rule.path)), default=None)


def _leads(rule: Rule, path: str) -> bool:
    if rule.exact:
        return path == rule.path
    begin = rule.path.rstrip("/")
    return path == begin or path.startswith(f"{begin}/")


class Table:
    """The rules at one address, by port; whoever changes them puts others in their place."""

    def __init__(self, store: Store) -> None:
        self.rules: Mapping[int, Sequence[Rule]] = {}
        self._store = store
        self._turn = itertools.count()

    def way(self, port: int, host: str, path: str, *, safe: bool) -> Way:
        """Where a request goes. safe: it came over HTTPS."""
        rule = chosen(self.rules.get(port, ()), host, path)
        if rule is None:
            return Way(HTTPStatus.NOT_FOUND)
        if rule.secure and not safe:
            return Way(HTTPStatus.PERMANENT_REDIRECT)
        weights = [each.weight for each in rule.backends]
        backend = random.choices(rule.backends, weights)[0] if any(weights) else None  # noqa: S311 - a share, no secret
        if backend is None or not backend.service:
            return Way(HTTPStatus.INTERNAL_SERVER_ERROR)
        places = serving(self._store, backend.namespace, backend.service, backend.port)
        if not places:
            return Way(HTTPStatus.SERVICE_UNAVAILABLE)
        first = next(self._turn) % len(places)
        return Way(places=(*places[first:], *places[:first]))
