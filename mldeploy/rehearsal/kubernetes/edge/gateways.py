"""A controller of the Gateway API: an address for each Gateway of its class.

https://gateway-api.sigs.k8s.io/reference/spec/
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from mldeploy.rehearsal.containers.network import Addresses
from mldeploy.rehearsal.kubernetes.control.events import WARNING, Recorder
from mldeploy.rehearsal.kubernetes.control.reading import is_leaving
from mldeploy.rehearsal.kubernetes.edge.attaching import GROUP, Attachment, attached, rules_of
from mldeploy.rehearsal.kubernetes.edge.certificates import Certificates, Keyring
from mldeploy.rehearsal.kubernetes.edge.conditions import gateway_said, tell_class, tell_gateway, tell_route
from mldeploy.rehearsal.kubernetes.edge.door import Front
from mldeploy.rehearsal.kubernetes.edge.ingresses import age
from mldeploy.rehearsal.kubernetes.edge.listeners import Listener, examined
from mldeploy.rehearsal.kubernetes.edge.routing import Rule, Table
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, key_of

CLASS, CONTROLLER = "nginx", "gateway.nginx.org/nginx-gateway-controller"


@dataclass
class _Edge:
    """What a Gateway has. since: when it was first seen. certificates: by port. why_not: it cannot listen."""

    table: Table
    since: float
    front: Front | None = None
    certificates: dict[int, Certificates] = field(default_factory=dict)
    why_not: str = ""


class GatewayController:
    """pace: seconds; a Gateway has its address after two phases."""

    def __init__(self, store: Store, addresses: Addresses, pace: float) -> None:
        self._store = store
        self._addresses = addresses
        self._pace = pace
        self._recorder = Recorder(store, "nginx-gateway-fabric")
        self._keys = Keyring(store)
        self._edges: dict[str, _Edge] = {}

    def sync(self) -> None:
        gateways = {_place(each): each for each in self._store.list(kinds.GATEWAYS) if self._is_mine(each)}
        for each in self._store.list(kinds.GATEWAY_CLASSES):
            if each["spec"].get("controllerName") == CONTROLLER:
                self._store.edit(key_of(kinds.GATEWAY_CLASSES, each), tell_class)
        there = {each["metadata"]["uid"] for each in gateways.values()}
        for uid in self._edges.keys() - there:
            self._close(self._edges.pop(uid))
        attachments = self._attach(gateways)
        for place, gateway in gateways.items():
            self._lead(gateway, [each for each in attachments if each[1] == place])

    def close(self) -> None:
        """Answer nowhere any more."""
        for edge in self._edges.values():
            self._close(edge)
        self._edges.clear()

    def _is_mine(self, gateway: Object) -> bool:
        found = self._store.get(Key(kinds.GATEWAY_CLASSES, "", gateway["spec"]["gatewayClassName"]))
        return found is not None and found["spec"].get("controllerName") == CONTROLLER and not is_leaving(gateway)

    def _attach(
        self, gateways: Mapping[tuple[str, str], Object]
    ) -> Sequence[tuple[Object, tuple[str, str], Attachment]]:
        """All routes at those of their parents that are here, each told of."""
        found = []
        for route in sorted(self._store.list(kinds.ROUTES), key=age):
            told = []
            for reference in route["spec"].get("parentRefs") or ():
                place = (reference.get("namespace") or route["metadata"]["namespace"], reference["name"])
                if _is_gateway(reference) and place in gateways:
                    attachment = attached(self._store, route, reference, gateways[place])
                    told.append((reference, attachment))
                    found.append((route, place, attachment))
            self._store.edit(key_of(kinds.ROUTES, route), partial(tell_route, CONTROLLER, told))
        return found

    def _lead(self, gateway: Object, routes: Sequence[tuple[Object, tuple[str, str], Attachment]]) -> None:
        edge = self._edges.setdefault(gateway["metadata"]["uid"], _Edge(Table(self._store), time.monotonic()))
        listeners = examined(self._keys, gateway)
        self._open(edge, listeners)
        good = {each.name for each in listeners if each.is_good}
        rules: dict[int, list[Rule]] = {}
        for route, _, attachment in routes:
            for listener, hosts in attachment.hosts:
                if listener["name"] in good:
                    rules.setdefault(listener["port"], []).extend(rules_of(self._store, route, hosts))
        edge.table.rules = rules
        for port, certificates in edge.certificates.items():
            certificates.named = _named(listeners, port)
        if edge.why_not:
            self._recorder.tell_once(gateway, WARNING, "AddressNotUsable", edge.why_not)
        ready = time.monotonic() - edge.since >= 2 * self._pace
        address = edge.front.address if edge.front and ready else ""
        said = gateway_said(listeners, address, edge.why_not)
        counts = _counts(listeners, [attachment for _, _, attachment in routes])
        self._store.edit(key_of(kinds.GATEWAYS, gateway), partial(tell_gateway, said, listeners, counts, address))

    def _open(self, edge: _Edge, listeners: Sequence[Listener]) -> None:
        """Listen on its listeners' ports, at the address that it has."""
        wanted = {each.port: each.is_safe for each in listeners if each.is_good}
        there = {port: tls is not None for port, tls in edge.front.ports.items()} if edge.front else {}
        if wanted == there or (edge.why_not and not edge.front):
            return
        address = edge.front.address if edge.front else self._addresses.take()
        if edge.front is not None:
            edge.front.close()
        edge.certificates = {port: Certificates() for port, safe in wanted.items() if safe}
        ports = {port: edge.certificates[port].context if safe else None for port, safe in wanted.items()}
        try:
            edge.front = Front(address, ports, edge.table)
        except OSError as error:
            self._addresses.give_back(address)
            edge.front, edge.why_not = None, f"the address cannot be listened on: {error}"

    def _close(self, edge: _Edge) -> None:
        if edge.front is not None:
            edge.front.close()
            self._addresses.give_back(edge.front.address)


def _named(listeners: Sequence[Listener], port: int) -> dict[str, ssl.SSLContext]:
    return {each.host: each.context for each in listeners if each.port == port and each.context is not None}


def _counts(listeners: Sequence[Listener], attachments: Sequence[Attachment]) -> Mapping[str, int]:
    """How many routes each listener has."""
    names = [listener["name"] for each in attachments for listener, _ in each.hosts]
    return {each.name: names.count(each.name) for each in listeners}


def _is_gateway(reference: Object) -> bool:
    return (reference.get("group", GROUP), reference.get("kind", "Gateway")) == (GROUP, "Gateway")


def _place(document: Object) -> tuple[str, str]:
    return document["metadata"]["namespace"], document["metadata"]["name"]
