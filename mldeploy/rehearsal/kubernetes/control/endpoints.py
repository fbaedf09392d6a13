"""Which Pods a Service leads to at this moment, and where they are reached.

https://kubernetes.io/docs/concepts/services-networking/service/
"""

from __future__ import annotations

from typing import TypeAlias

from mldeploy.rehearsal.kubernetes.control.reading import is_ready
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.selectors import labels_of, selects
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object

Place: TypeAlias = tuple[str, int]
"""An IP address and a port."""


def pods_of(store: Store, service: Object) -> list[Object]:
    """Those that its selector fits, and that have an address."""
    if not service["spec"].get("selector"):
        return []
    selector, namespace = {"matchLabels": service["spec"]["selector"]}, service["metadata"]["namespace"]
    found = store.list(kinds.PODS, namespace)
    return [each for each in found if selects(selector, labels_of(each)) and each["status"].get("podIP")]


def port_on(spec: Object, pod: Object | None) -> Object:
    """One of a Service's ports as it is on a Pod, where it may be named."""
    target = spec["targetPort"]
    if isinstance(target, str):
        named = [port for each in (pod or {}).get("spec", {}).get("containers", ()) for port in each.get("ports", ())]
        target = next((each["containerPort"] for each in named if each.get("name") == target), spec["port"])
    made: Object = {"port": target, "protocol": spec["protocol"]}
    return {**made, "name": spec["name"]} if spec.get("name") else made


def serving(store: Store, namespace: str, name: str, port: int | str) -> list[Place] | None:
    """The Pods that are ready, through one of a Service's ports, which is named or numbered.

    None: there is no such Service, or it has no such port.
    """
    service = store.get(Key(kinds.SERVICES, namespace, name))
    ports = service["spec"].get("ports", ()) if service else ()
    spec = next((each for each in ports if port in (each["port"], each.get("name"))), None)
    if service is None or spec is None:
        return None
    ready = [each for each in pods_of(store, service) if is_ready(each)]
    return [(each["status"]["podIP"], port_on(spec, each)["port"]) for each in ready]
