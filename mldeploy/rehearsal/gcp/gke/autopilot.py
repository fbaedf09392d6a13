"""What Autopilot changes in workloads when they are written.

https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-security
https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-resource-requests
"""

from __future__ import annotations

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object

DROPPED = "NET_RAW"
ARCHITECTURE = "kubernetes.io/arch"
_EPHEMERAL = "1Gi"


def adjust_workload(resource: ApiResource, document: Object) -> None:
    """Add to a Deployment or Pod what Autopilot adds."""
    if resource is kinds.DEPLOYMENTS:
        _adjust_pod(document["spec"]["template"]["spec"])
        document["metadata"].setdefault("annotations", {}).setdefault("autopilot.gke.io/warden-version", "3.1.17")
    elif resource is kinds.PODS:
        _adjust_pod(document["spec"])


def _adjust_pod(spec: Object) -> None:
    for container in spec.get("containers", ()):
        security = container.setdefault("securityContext", {}).setdefault("capabilities", {})
        if DROPPED not in security.setdefault("drop", []):
            security["drop"] = [*security["drop"], DROPPED]
        for part in ("requests", "limits"):
            container.setdefault("resources", {}).setdefault(part, {}).setdefault("ephemeral-storage", _EPHEMERAL)
    architecture = (spec.get("nodeSelector") or {}).get(ARCHITECTURE)
    toleration = {"effect": "NoSchedule", "key": ARCHITECTURE, "operator": "Equal", "value": architecture}
    if architecture and toleration not in spec.setdefault("tolerations", []):
        spec["tolerations"] = [*spec["tolerations"], toleration]
