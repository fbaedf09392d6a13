"""How many pods there are: by load, and while nodes are emptied."""

from __future__ import annotations

from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.parts import metadata
from mldeploy.providers.kubernetes.reading import Document
from mldeploy.providers.kubernetes.settings import InClusterSettings
from mldeploy.providers.kubernetes.types import AUTOSCALER, DEPLOYMENT, DISRUPTION_BUDGET


def autoscaler(owner: Owner, namespace: str, settings: InClusterSettings) -> Document:
    """By the CPU that the pods use. https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/"""
    cpu = {"type": "Utilization", "averageUtilization": settings.target_cpu}
    return {
        "apiVersion": AUTOSCALER.version,
        "kind": AUTOSCALER.kind,
        "metadata": metadata(owner, owner.app, namespace),
        "spec": {
            "scaleTargetRef": {"apiVersion": DEPLOYMENT.version, "kind": DEPLOYMENT.kind, "name": owner.app},
            "minReplicas": settings.min or 1,
            "maxReplicas": settings.max or 1,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": cpu}}],
        },
    }


def disruption_budget(owner: Owner, namespace: str) -> Document:
    """A node that is emptied takes one pod at a time. https://kubernetes.io/docs/concepts/workloads/pods/disruptions/"""
    return {
        "apiVersion": DISRUPTION_BUDGET.version,
        "kind": DISRUPTION_BUDGET.kind,
        "metadata": metadata(owner, owner.app, namespace),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": owner.selector}},
    }
