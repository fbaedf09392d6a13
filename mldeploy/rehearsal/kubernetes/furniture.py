"""What every cluster has before anybody has made anything in it."""

from __future__ import annotations

from mldeploy.rehearsal.kubernetes.control.namespaces import ROOT_CA
from mldeploy.rehearsal.kubernetes.control.reading import owners
from mldeploy.rehearsal.kubernetes.edge import gateways, ingresses
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.assigned import DEFAULT_CLASS
from mldeploy.rehearsal.kubernetes.objects.defaults import fill
from mldeploy.rehearsal.kubernetes.objects.store import Store, born
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, Resource

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_DERIVED = (kinds.NODES, kinds.EVENTS, kinds.ENDPOINTS, kinds.SLICES, kinds.REPLICA_SETS, kinds.LEASES)
_GIVEN = (
    (kinds.ACCOUNTS, "default"),
    (kinds.CONFIG_MAPS, ROOT_CA),
    (kinds.INGRESS_CLASSES, ingresses.CLASS),
    (kinds.GATEWAY_CLASSES, gateways.CLASS),
)


def furnish(store: Store) -> None:
    """Put it there."""
    for name in NAMESPACES:
        _put(store, kinds.NAMESPACES, {"name": name}, {})
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
    spec = {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"], "ports": ports, "type": "ClusterIP"}
    _put(store, kinds.SERVICES, {"name": "kubernetes", "namespace": "default"}, spec)
    default = {"name": ingresses.CLASS, "annotations": {DEFAULT_CLASS: "true"}}
    _put(store, kinds.INGRESS_CLASSES, default, {"controller": ingresses.CONTROLLER})
    _put(store, kinds.GATEWAY_CLASSES, {"name": gateways.CLASS}, {"controllerName": gateways.CONTROLLER})


def is_furniture(key: Key, document: Object) -> bool:
    """It was there from the beginning, or follows from something else that is there."""
    if key.resource is kinds.NAMESPACES:
        return key.name in NAMESPACES
    service = (key.resource, key.namespace, key.name) == (kinds.SERVICES, "default", "kubernetes")
    follows = key.resource in _DERIVED or (key.resource is kinds.PODS and bool(owners(document)))
    return (key.resource, key.name) in _GIVEN or service or follows


def _put(store: Store, resource: Resource, metadata: Object, spec: Object) -> None:
    document: Object = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    if spec:
        document["spec"] = spec
    fill(resource, document)
    store.put(Key(resource, metadata.get("namespace", ""), metadata["name"]), born(document))
