"""Where a Service leads: its endpoints, and the load balancer before it.

https://kubernetes.io/docs/concepts/services-networking/service/
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mldeploy.rehearsal.containers.network import Addresses, Forwarder, close_all
from mldeploy.rehearsal.kubernetes.control.endpoints import Place, pods_of, port_on, serving
from mldeploy.rehearsal.kubernetes.control.events import NORMAL, WARNING, Recorder
from mldeploy.rehearsal.kubernetes.control.garbage import release
from mldeploy.rehearsal.kubernetes.control.reading import is_leaving, is_ready, owner_reference
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store, born
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, key_of

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


@dataclass
class Balancer:
    """A load balancer. port: the first one that it listens on; 0: none can be listened on."""

    uid: str
    service: str
    address: str
    ports: tuple[tuple[int, str, str], ...]
    forwarders: list[Forwarder] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.ports[0][0] if self.ports else 0


class ServiceController:
    """addresses: where load balancers answer. pace: seconds; a balancer takes two of them to come, and one to go."""

    def __init__(self, store: Store, addresses: Addresses, pace: float) -> None:
        self._store = store
        self._addresses = addresses
        self._pace = pace
        self._recorder = Recorder(store, "service-controller")
        self._balancers: dict[str, Balancer] = {}
        self._seen: dict[str, float] = {}
        self._mutex = threading.Lock()

    @property
    def balancers(self) -> list[Balancer]:
        """Those that there are."""
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
        """Answer nowhere any more."""
        for uid in list(self._balancers):
            self._close(uid)

    def _endpoints(self, service: Object) -> None:
        metadata, pods = service["metadata"], pods_of(self._store, service)
        ready = [each for each in pods if is_ready(each)]
        one = next(iter(ready or pods), None)
        key = Key(kinds.ENDPOINTS, metadata["namespace"], metadata["name"])
        ports = [port_on(each, one) for each in service["spec"].get("ports", ())]
        subset = {"addresses": [_address(each) for each in ready], "ports": ports}
        self._write(key, service, {"subsets": [subset] if ready else []})
        labels = {"kubernetes.io/service-name": metadata["name"]}
        endpoints = [
            {
                "addresses": [each["status"]["podIP"]],
                "conditions": {"ready": is_ready(each), "serving": is_ready(each), "terminating": is_leaving(each)},
                "targetRef": _reference(each),
            }
            for each in pods
        ]
        named = [{"name": "", **each} for each in ports]  # in a slice every port has a name, or kubectl stumbles
        content = {"addressType": "IPv4", "endpoints": endpoints, "ports": named}
        self._write(Key(kinds.SLICES, key.namespace, f"{key.name}-slice"), service, content, labels)

    def _write(self, key: Key, service: Object, content: Object, labels: dict[str, str] | None = None) -> None:
        found = self._store.get(key)
        if found is not None:
            self._store.put(key, {**found, **content})
        elif not is_leaving(service):
            metadata: Object = {"name": key.name, "namespace": key.namespace, "labels": labels or {}}
            metadata["ownerReferences"] = [owner_reference(service)]
            head = {"kind": key.resource.kind, "apiVersion": key.resource.api_version, "metadata": metadata}
            self._store.put(key, born({**head, **content}))

    def _balance(self, service: Object) -> None:
        key, uid = key_of(kinds.SERVICES, service), service["metadata"]["uid"]
        wanted = service["spec"]["type"] == "LoadBalancer" and not is_leaving(service)
        if wanted and FINALIZER not in service["metadata"].get("finalizers", ()):
            self._store.edit(key, lambda made: made["metadata"].setdefault("finalizers", []).append(FINALIZER))
            self._recorder.tell(service, NORMAL, "EnsuringLoadBalancer", "Ensuring load balancer")
        phase = f"{uid}/{wanted}"
        passed = time.monotonic() - self._seen.setdefault(phase, time.monotonic())
        if wanted and passed >= 2 * self._pace:
            self._open(key, service)
        elif not wanted and FINALIZER in service["metadata"].get("finalizers", ()) and passed >= self._pace:
            self._close(uid)
            self._store.edit(key, _without_address)
            release(self._store, key, FINALIZER)
            self._seen.pop(phase, None)

    def _open(self, key: Key, service: Object) -> None:
        uid = service["metadata"]["uid"]
        ports = tuple((each["port"], str(each["targetPort"]), each["protocol"]) for each in service["spec"]["ports"])
        balancer = self._balancers.get(uid)
        if balancer is None or balancer.ports != ports:
            address = balancer.address if balancer else self._addresses.take()
            if balancer is not None:
                close_all(balancer.forwarders)
            balancer = Balancer(uid, f"{key.namespace}/{key.name}", address, ports)
            with self._mutex:
                self._balancers[uid] = balancer
            try:
                for port, _, _ in ports:
                    balancer.forwarders.append(Forwarder((address, port), self._route(key, port)))
            except OSError as error:
                text = f"Error syncing load balancer: failed to ensure load balancer: {error}"
                self._recorder.tell(service, WARNING, "SyncLoadBalancerFailed", text)
                balancer.ports = ()
                return
            self._recorder.tell(service, NORMAL, "EnsuredLoadBalancer", "Ensured load balancer")
        if balancer.forwarders and balancer.ports:
            ingress = {"loadBalancer": {"ingress": [{"ip": balancer.address, "ipMode": "VIP"}]}}
            self._store.edit(key, lambda made: made.update(status=ingress))

    def _route(self, key: Key, port: int) -> Callable[[], Place | None]:
        """The next of the Pods that serve at this moment."""
        turn = itertools.count()

        def choose() -> Place | None:
            places = serving(self._store, key.namespace, key.name, port)
            return places[next(turn) % len(places)] if places else None

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
