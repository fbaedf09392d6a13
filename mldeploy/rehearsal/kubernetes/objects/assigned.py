"""What the API server gives to a new object: addresses and ports to Services, the default class to an Ingress."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.refusals import invalid, wrong
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Object, Resource

DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
_NODE_PORTS = range(30000, 32768)


def assign(store: Store, resource: Resource, document: Object, before: Object | None) -> None:
    """Complete a document in place with what no other has; what it had it keeps. Raises Refused (422)."""
    if resource is kinds.INGRESSES and before is None:
        _class(store, document)
    if resource is not kinds.SERVICES or document["spec"]["type"] == "ExternalName":
        return
    spec, old = document["spec"], (before or {}).get("spec", {})
    others = [each["spec"] for each in store.list(kinds.SERVICES) if before is None or not _same(each, before)]
    if not spec.get("clusterIP"):
        taken = {each.get("clusterIP") for each in others}
        spec["clusterIP"] = old.get("clusterIP") or next(each for each in _addresses() if each not in taken)
    spec["clusterIPs"] = [spec["clusterIP"]]
    if spec["type"] in ("LoadBalancer", "NodePort"):
        _ports(document, old, {port.get("nodePort") for each in others for port in each.get("ports", ())})


def _class(store: Store, document: Object) -> None:
    """https://kubernetes.io/docs/concepts/services-networking/ingress/#default-ingress-class"""
    for each in store.list(kinds.INGRESS_CLASSES):
        if (each["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true":
            document["spec"].setdefault("ingressClassName", each["metadata"]["name"])


def _same(one: Object, other: Object) -> bool:
    return bool(one["metadata"]["uid"] == other["metadata"]["uid"])


def _addresses() -> Iterator[str]:
    yield from (f"10.96.{high}.{low}" for high in range(1, 250) for low in range(1, 255))


def _ports(document: Object, old: Object, taken: set[object]) -> None:
    had = {(each["port"], each["protocol"]): each.get("nodePort") for each in old.get("ports", ())}
    for number, port in enumerate(document["spec"].get("ports", ())):
        wanted = port.get("nodePort")
        if wanted in taken and wanted is not None:
            cause = wrong(f"spec.ports[{number}].nodePort", wanted, "provided port is already allocated")
            raise invalid(kinds.SERVICES, document["metadata"]["name"], [cause])
        if not wanted:
            kept = had.get((port["port"], port["protocol"]))
            port["nodePort"] = kept or next(each for each in _NODE_PORTS if each not in taken)
        taken.add(port["nodePort"])
