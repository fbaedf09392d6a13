"""The harsh mode of the stand-in: what a busy cluster of somebody else does, and a calm one does not.

It writes fields of its own into objects, reports events late, has no node for a new Pod at first, and refuses some
requests once: a log that the node does not deliver, an update of an object that has just changed.
https://kubernetes.io/docs/reference/using-api/api-concepts/,
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.errors import StatusError, object_modified
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object

EVENT_SECONDS = 0.3
"""How late events are."""
NODE_SECONDS = 0.2
"""How long a new Pod has no node."""
NO_NODE = "0/2 nodes are available: 2 node(s) had untolerated taint {node.kubernetes.io/not-ready: }."
_NODE_SILENT = 'Get "https://10.0.0.1:10250/containerLogs": dial tcp 10.0.0.1:10250: connect: connection refused'
_ANNOTATIONS: Mapping[ApiResource, tuple[str, str]] = MappingProxyType(
    {
        kinds.NAMESPACES: ("openshift.io/sa.scc.uid-range", "1000660000/10000"),
        kinds.DEPLOYMENTS: ("field.cattle.io/publicEndpoints", "[]"),
        kinds.SERVICES: ("cloud.google.com/neg-status", "{}"),
        kinds.PODS: ("cni.projectcalico.org/podIP", "10.1.2.3/32"),
        kinds.CONFIG_MAPS: ("policies.kyverno.io/last-applied", "audit"),
    }
)
"""What the admission controllers of such clusters add to a type."""


def add_fields(resource: ApiResource, document: Object) -> None:
    """Do as the admission controllers of other vendors: add an annotation, and a toleration to a Pod."""
    if note := _ANNOTATIONS.get(resource):
        document["metadata"].setdefault("annotations", {}).setdefault(*note)
    if resource is kinds.PODS:
        spec, added = document["spec"], {"key": "example.com/spot", "operator": "Exists"}
        if added not in spec.get("tolerations", ()):
            spec["tolerations"] = [*spec.get("tolerations", ()), added]


class RefuseOnce:
    """Refuses the first log request and the first update of each object. Thread-safe."""

    def __init__(self) -> None:
        self._refused: set[tuple[str, str, str]] = set()
        self._mutex = threading.Lock()

    def reset(self) -> None:
        """Refuse everything once more."""
        with self._mutex:
            self._refused.clear()

    def check(self, resource: ApiResource, verb: str, part: str, namespace: str, name: str) -> None:
        """Raises StatusError if the request is one of those, and the first one for its object."""
        refusal = self._refusal(resource, verb, part, name)
        with self._mutex:
            request = (f"{verb} {resource.name}/{part}", namespace, name)
            if refusal is None or request in self._refused:
                return
            self._refused.add(request)
        raise refusal()

    def _refusal(self, resource: ApiResource, verb: str, part: str, name: str) -> Callable[[], StatusError] | None:
        if part == "log":
            return lambda: StatusError(500, "InternalError", f"Internal error occurred: {_NODE_SILENT}")
        if verb in ("update", "merge") and not part:
            return lambda: object_modified(resource, name)
        return None
