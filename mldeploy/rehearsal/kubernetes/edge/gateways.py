"""Gateway API controller: one address for each Gateway of its class.

https://gateway-api.sigs.k8s.io/reference/spec/
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from mldeploy.rehearsal.containers.host import PublicAddressPool
from mldeploy.rehearsal.kubernetes.control.loop import WARNING, Recorder, is_terminating
from mldeploy.rehearsal.kubernetes.edge.conditions import (
    gateway_conditions,
    update_class_status,
    update_gateway_status,
    update_route_status,
)
from mldeploy.rehearsal.kubernetes.edge.ingresses import age
from mldeploy.rehearsal.kubernetes.edge.proxy import CertificateStore, EdgeProxy, ServerCertificates
from mldeploy.rehearsal.kubernetes.edge.route_binding import (
    GROUP,
    GatewayListener,
    RouteBinding,
    bind_route,
    examine_listeners,
    list_route_rules,
)
from mldeploy.rehearsal.kubernetes.edge.routing import RoutingRule, RoutingTable
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Object, ObjectKey, key_of

CLASS, CONTROLLER = "nginx", "gateway.nginx.org/nginx-gateway-controller"


@dataclass
class _GatewayState:
    """The state of a Gateway. since: time first seen. certificates: by port. why_not: error if it cannot listen."""

    table: RoutingTable
    since: float
    front: EdgeProxy | None = None
    certificates: dict[int, ServerCertificates] = field(default_factory=dict)
    why_not: str = ""


class GatewayController:
    """pace: seconds; a Gateway has its address after two phases."""

    def __init__(self, store: Store, addresses: PublicAddressPool, pace: float) -> None:
        self._store = store
        self._addresses = addresses
        self._pace = pace
        self._recorder = Recorder(store, "nginx-gateway-fabric")
        self._keys = CertificateStore(store)
        self._edges: dict[str, _GatewayState] = {}

    def sync(self) -> None:
        gateways = {_namespaced_name(each): each for each in self._store.list(kinds.GATEWAYS) if self._is_mine(each)}
        for each in self._store.list(kinds.GATEWAY_CLASSES):
            if each["spec"].get("controllerName") == CONTROLLER:
                self._store.edit(key_of(kinds.GATEWAY_CLASSES, each), update_class_status)
        open_ports = {each["metadata"]["uid"] for each in gateways.values()}
        for uid in self._edges.keys() - open_ports:
            self._close(self._edges.pop(uid))
        bindings = self._bind_routes(gateways)
        for name, gateway in gateways.items():
            self._sync_gateway(gateway, [each for each in bindings if each[1] == name])

    def close(self) -> None:
        """Stop all proxies."""
        for edge in self._edges.values():
            self._close(edge)
        self._edges.clear()

    def _is_mine(self, gateway: Object) -> bool:
        gateway_class = self._store.get(ObjectKey(kinds.GATEWAY_CLASSES, "", gateway["spec"]["gatewayClassName"]))
        return (
            gateway_class is not None
            and gateway_class["spec"].get("controllerName") == CONTROLLER
            and not is_terminating(gateway)
        )

    def _bind_routes(
        self, gateways: Mapping[tuple[str, str], Object]
    ) -> Sequence[tuple[Object, tuple[str, str], RouteBinding]]:
        """Bind all routes to their parent Gateways and write the routes' status."""
        bindings = []
        for route in sorted(self._store.list(kinds.ROUTES), key=age):
            route_bindings = []
            for reference in route["spec"].get("parentRefs") or ():
                name = (reference.get("namespace") or route["metadata"]["namespace"], reference["name"])
                if _is_gateway(reference) and name in gateways:
                    binding = bind_route(self._store, route, reference, gateways[name])
                    route_bindings.append((reference, binding))
                    bindings.append((route, name, binding))
            self._store.edit(key_of(kinds.ROUTES, route), partial(update_route_status, CONTROLLER, route_bindings))
        return bindings

    def _sync_gateway(self, gateway: Object, routes: Sequence[tuple[Object, tuple[str, str], RouteBinding]]) -> None:
        edge = self._edges.setdefault(
            gateway["metadata"]["uid"], _GatewayState(RoutingTable(self._store), time.monotonic())
        )
        listeners = examine_listeners(self._keys, gateway)
        self._open(edge, listeners)
        good = {each.name for each in listeners if each.is_good}
        rules: dict[int, list[RoutingRule]] = {}
        for route, _, binding in routes:
            for listener, hosts in binding.hosts:
                if listener["name"] in good:
                    rules.setdefault(listener["port"], []).extend(list_route_rules(self._store, route, hosts))
        edge.table.rules = rules
        for port, certificates in edge.certificates.items():
            certificates.named = _named(listeners, port)
        if edge.why_not:
            self._recorder.record_once(gateway, WARNING, "AddressNotUsable", edge.why_not)
        ready = time.monotonic() - edge.since >= 2 * self._pace
        address = edge.front.address if edge.front and ready else ""
        conditions = gateway_conditions(listeners, address, edge.why_not)
        counts = _counts(listeners, [binding for _, _, binding in routes])
        self._store.edit(
            key_of(kinds.GATEWAYS, gateway), partial(update_gateway_status, conditions, listeners, counts, address)
        )

    def _open(self, edge: _GatewayState, listeners: Sequence[GatewayListener]) -> None:
        """Listen on the ports of the valid listeners, at the Gateway's address."""
        desired = {each.port: each.is_safe for each in listeners if each.is_good}
        open_ports = {port: tls is not None for port, tls in edge.front.ports.items()} if edge.front else {}
        if desired == open_ports or (edge.why_not and not edge.front):
            return
        address = edge.front.address if edge.front else self._addresses.take()
        if edge.front is not None:
            edge.front.close()
        edge.certificates = {port: ServerCertificates() for port, safe in desired.items() if safe}
        ports = {port: edge.certificates[port].context if safe else None for port, safe in desired.items()}
        try:
            edge.front = EdgeProxy(address, ports, edge.table)
        except OSError as error:
            self._addresses.give_back(address)
            edge.front, edge.why_not = None, f"the address cannot be listened on: {error}"

    def _close(self, edge: _GatewayState) -> None:
        if edge.front is not None:
            edge.front.close()
            self._addresses.give_back(edge.front.address)


def _named(listeners: Sequence[GatewayListener], port: int) -> dict[str, ssl.SSLContext]:
    return {each.host: each.context for each in listeners if each.port == port and each.context is not None}


def _counts(listeners: Sequence[GatewayListener], bindings: Sequence[RouteBinding]) -> Mapping[str, int]:
    """Attached routes by listener."""
    names = [listener["name"] for each in bindings for listener, _ in each.hosts]
    return {each.name: names.count(each.name) for each in listeners}


def _is_gateway(reference: Object) -> bool:
    return (reference.get("group", GROUP), reference.get("kind", "Gateway")) == (GROUP, "Gateway")


def _namespaced_name(document: Object) -> tuple[str, str]:
    return document["metadata"]["namespace"], document["metadata"]["name"]
