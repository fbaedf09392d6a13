"""Which verb a path takes, and the documents of the subresources `scale` and `token`.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mldeploy.rehearsal.kubernetes.objects.errors import invalid, invalid_patch, invalid_value
from mldeploy.rehearsal.kubernetes.objects.type_rules import NOT_NEGATIVE
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object

if TYPE_CHECKING:
    from mldeploy.rehearsal.kubernetes.api.request import KubernetesRequest

STATUS_VERBS = ("get", "patch", "update")
PART_VERBS = {
    "log": ("get",),
    "exec": ("get", "create"),
    "attach": ("get", "create"),
    "portforward": ("get", "create"),
    "eviction": ("create",),
    "token": ("create",),
    "finalize": ("update",),
}
"""The verbs of subresources other than status and scale."""
UPGRADED_PARTS = ("attach", "exec", "portforward")
"""A WebSocket is opened with GET; since Kubernetes 1.35, that needs the permission to create, too.

The feature gate AuthorizePodWebsocketUpgradeCreatePermission:
https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/
"""
SCALE = ApiResource("autoscaling", "v1", "scales", "Scale")
TOKEN_REQUEST = ApiResource("authentication.k8s.io", "v1", "tokenrequests", "TokenRequest")
SHORTEST_TOKEN = 600
"""Seconds."""


def is_misplaced(request: KubernetesRequest) -> bool:
    """Whether a path does not take the verb: objects are created in a namespace, and changed by name."""
    resource = request.resource
    if resource is None or request.verb not in ("create", "update", "patch"):
        return False
    if request.verb == "create":
        return bool(request.name) or (resource.namespaced and not request.namespace)
    return not request.name


def scale_document(document: Object) -> Object:
    metadata = {name: document["metadata"].get(name) for name in ("name", "namespace", "uid", "resourceVersion")}
    selector = ",".join(f"{key}={value}" for key, value in document["spec"]["selector"].get("matchLabels", {}).items())
    status = {"replicas": document.get("status", {}).get("replicas", 0), "selector": selector}
    spec = {"replicas": document["spec"].get("replicas", 0)}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def parse_replicas(name: str, scale: Object) -> int:
    """Return the number of replicas of a Scale. Raises StatusError (422)."""
    count = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(count, int):
        raise invalid_patch(scale, "json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas")
    if count < 0:
        raise invalid(SCALE, name, [invalid_value("spec.replicas", count, NOT_NEGATIVE)])
    return count


def parse_token_seconds(spec: Object) -> int:
    """Return for how long a requested token is valid. Raises StatusError (422)."""
    seconds = int(spec.get("expirationSeconds") or 3600)
    if seconds < SHORTEST_TOKEN:
        why = "may not specify a duration less than 10 minutes"
        raise invalid(TOKEN_REQUEST, "", [invalid_value("spec.expirationSeconds", seconds, why)])
    return seconds
