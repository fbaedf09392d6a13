"""Service controller: endpoints and load balancers.

https://kubernetes.io/docs/concepts/services-networking/service/
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from mldeploy.rehearsal.containers.host import Forwarder, PublicAddressPool, close_all
from mldeploy.rehearsal.kubernetes.control.garbage import remove_finalizer
from mldeploy.rehearsal.kubernetes.control.loop import (
    NORMAL,
    WARNING,
    Recorder,
    is_ready,
    is_terminating,
    owner_reference,
)
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.names import labels_of, matches_selector
from mldeploy.rehearsal.kubernetes.objects.store import Store, new_object
from mldeploy.rehearsal.kubernetes.objects.types import Object, ObjectKey, key_of

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


@dataclass
class ClusterLoadBalancer:
    """A load balancer. port: its first port; 0: it cannot listen."""

    uid: str
    service: str
    address: str
    ports: tuple[tuple[int, str, str], ...]
    forwarders: list[Forwarder] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.ports[0][0] if self.ports else 0


class ServiceController:
    """addresses: for load balancers. pace: seconds; creating a balancer takes two of them, deleting takes one."""

    def __init__(self, store: Store, addresses: PublicAddressPool, pace: float) -> None:
        self._store = store
        self._addresses = addresses
        self._pace = pace
        self._recorder = Recorder(store, "service-controller")
        self._balancers: dict[str, ClusterLoadBalancer] = {}
        self._seen: dict[str, float] = {}
        self._mutex = threading.Lock()

    @property
    def balancers(self) -> list[ClusterLoadBalancer]:
        """All load balancers."""
        with self._mutex:
            return list(self._balancers.values())

    def sync(self) -> None:
        services = self._store.list(kinds.SERVICES)
        for each in services:
            if each["spec"].get("selector"):
                self._endpoints(each)
            self._balance(each)
        there = {each["metadata"]["uid"] for each in services}
        for uid in [uid for uid in self._balancers if uid not in there]:
            self._close(uid)

    def close(self) -> None:
        """Close all load balancers."""
        for uid in list(self._balancers):
            self._close(uid)

    def _endpoints(self, service: Object) -> None:
        metadata, pods = service["metadata"], list_pods(self._store, service)
        ready = [each for each in pods if is_ready(each)]
        one = next(iter(ready or pods), None)
        key = ObjectKey(kinds.ENDPOINTS, metadata["namespace"], metadata["name"])
        ports = [pod_port(each, one) for each in service["spec"].get("ports", ())]
        subset = {"addresses": [_address(each) for each in ready], "ports": ports}
        self._write_endpoints(key, service, {"subsets": [subset] if ready else []})
        labels = {"kubernetes.io/service-name": metadata["name"]}
        endpoints = [
            {
                "addresses": [each["status"]["podIP"]],
                "conditions": {"ready": is_ready(each), "serving": is_ready(each), "terminating": is_terminating(each)},
                "targetRef": _reference(each),
            }
            for each in pods
        ]
        named = [{"name": "", **each} for each in ports]  # kubectl requires a name for every port
        content = {"addressType": "IPv4", "endpoints": endpoints, "ports": named}
        self._write_endpoints(ObjectKey(kinds.SLICES, key.namespace, f"{key.name}-slice"), service, content, labels)

    def _write_endpoints(
        self, key: ObjectKey, service: Object, content: Object, labels: dict[str, str] | None = None
    ) -> None:
        existing = self._store.get(key)
        if existing is not None:
            self._store.put(key, {**existing, **content})
        elif not is_terminating(service):
            metadata: Object = {"name": key.name, "namespace": key.namespace, "labels": labels or {}}
            metadata["ownerReferences"] = [owner_reference(service)]
            head = {"kind": key.resource.kind, "apiVersion": key.resource.api_version, "metadata": metadata}
            self._store.put(key, new_object({**head, **content}))

    def _balance(self, service: Object) -> None:
        key, uid = key_of(kinds.SERVICES, service), service["metadata"]["uid"]
        desired = service["spec"]["type"] == "LoadBalancer" and not is_terminating(service)
        if desired and FINALIZER not in service["metadata"].get("finalizers", ()):
            self._store.edit(key, lambda made: made["metadata"].setdefault("finalizers", []).append(FINALIZER))
            self._recorder.record(service, NORMAL, "EnsuringLoadBalancer", "Ensuring load balancer")
        phase = f"{uid}/{desired}"
        passed = time.monotonic() - self._seen.setdefault(phase, time.monotonic())
        if desired and passed >= 2 * self._pace:
            self._open(key, service)
        elif not desired and FINALIZER in service["metadata"].get("finalizers", ()) and passed >= self._pace:
            self._close(uid)
            self._store.edit(key, _without_address)
            remove_finalizer(self._store, key, FINALIZER)
            self._seen.pop(phase, None)

    def _open(self, key: ObjectKey, service: Object) -> None:
        uid = service["metadata"]["uid"]
        ports = tuple((each["port"], str(each["targetPort"]), each["protocol"]) for each in service["spec"]["ports"])
        balancer = self._balancers.get(uid)
        if balancer is None or balancer.ports != ports:
            address = balancer.address if balancer else self._addresses.take()
            if balancer is not None:
                close_all(balancer.forwarders)
            balancer = ClusterLoadBalancer(uid, f"{key.namespace}/{key.name}", address, ports)
            with self._mutex:
                self._balancers[uid] = balancer
            try:
                for port, _, _ in ports:
                    balancer.forwarders.append(Forwarder((address, port), self._route(key, port)))
            except OSError as error:
                text = f"Error syncing load balancer: failed to ensure load balancer: {error}"
                self._recorder.record(service, WARNING, "SyncLoadBalancerFailed", text)
                balancer.ports = ()
                return
            self._recorder.record(service, NORMAL, "EnsuredLoadBalancer", "Ensured load balancer")
        if balancer.forwarders and balancer.ports:
            ingress = {"loadBalancer": {"ingress": [{"ip": balancer.address, "ipMode": "VIP"}]}}
            self._store.edit(key, lambda made: made.update(status=ingress))

    def _route(self, key: ObjectKey, port: int) -> Callable[[], SocketAddress | None]:
        """A function that returns the next ready Pod's address (round robin)."""
        turn = itertools.count()

        def choose() -> SocketAddress | None:
            addresses = ready_addresses(self._store, key.namespace, key.name, port)
            return addresses[next(turn) % len(addresses)] if addresses else None

        return choose

    def _close(self, uid: str) -> None:
        with self._mutex:
            balancer = self._balancers.pop(uid, None)
        if balancer is not None:
            close_all(balancer.forwarders)
            self._addresses.give_back(balancer.address)


def _without_address(service: Object) -> None:
    service["status"] = {"loadBalancer": {}}


def _reference(pod: Object) -> Object:
    metadata = pod["metadata"]
    return {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}


def _address(pod: Object) -> Object:
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName", ""), "targetRef": _reference(pod)}


SocketAddress: TypeAlias = tuple[str, int]
"""An IP address and a port."""


def list_pods(store: Store, service: Object) -> list[Object]:
    """List the Pods that match a Service's selector and have an address."""
    if not service["spec"].get("selector"):
        return []
    selector, namespace = {"matchLabels": service["spec"]["selector"]}, service["metadata"]["namespace"]
    pods = store.list(kinds.PODS, namespace)
    return [each for each in pods if matches_selector(selector, labels_of(each)) and each["status"].get("podIP")]


def pod_port(spec: Object, pod: Object | None) -> Object:
    """The target port of a Service's port on a Pod; named ports are resolved."""
    target = spec["targetPort"]
    if isinstance(target, str):
        named = [port for each in (pod or {}).get("spec", {}).get("containers", ()) for port in each.get("ports", ())]
        target = next((each["containerPort"] for each in named if each.get("name") == target), spec["port"])
    made: Object = {"port": target, "protocol": spec["protocol"]}
    return {**made, "name": spec["name"]} if spec.get("name") else made


def ready_addresses(store: Store, namespace: str, name: str, port: int | str) -> list[SocketAddress] | None:
    """The addresses of ready Pods behind a Service's port (name or number).

    None: the Service or the port does not exist.
    """
    service = store.get(ObjectKey(kinds.SERVICES, namespace, name))
    ports = service["spec"].get("ports", ()) if service else ()
    spec = next((each for each in ports if port in (each["port"], each.get("name"))), None)
    if service is None or spec is None:
        return None
    ready = [each for each in list_pods(store, service) if is_ready(each)]
    return [(each["status"]["podIP"], pod_port(spec, each)["port"]) for each in ready]
