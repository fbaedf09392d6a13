"""Manifests of a canary: a Deployment and a Service beside those of the serving version, and how requests are divided.

A Gateway divides them by weight (https://gateway-api.sigs.k8s.io/guides/traffic-splitting/). A plain Service can only
select the pods of both versions: the share follows from their numbers.
"""

from __future__ import annotations

from mldeploy.providers.kubernetes.api import DEPLOYMENT, SERVICE
from mldeploy.providers.kubernetes.documents import Document, number, rows, table, text, texts
from mldeploy.providers.kubernetes.labels import Owner, object_metadata
from mldeploy.providers.kubernetes.manifests.workload import CONFIGURATION, PORT

READY = "mldeploy.canary-ready"
"""An annotation of a canary's Deployment that has passed its examination: the digest of its configuration."""
WHOLE = 100


def canary_name(owner: Owner) -> str:
    """Return the name of the canary's Deployment and Service."""
    return f"{owner.app}-canary"


def canary_deployment_manifest(owner: Owner, desired: Document, replicas: int) -> Document:
    """Return the Deployment of a canary. desired: the manifest of the serving Deployment, with the new version."""
    spec, metadata = table(desired, "spec"), table(desired, "metadata")
    return {
        **desired,
        "metadata": {**metadata, "name": canary_name(owner)},
        "spec": {
            **spec,
            "replicas": replicas,
            "selector": {"matchLabels": owner.canary},
            "template": _with_labels(table(spec, "template"), owner.selector, owner.canary),
        },
    }


def promoted_manifest(owner: Owner, stable: Document, canary: Document, notes: dict[str, str]) -> Document:
    """Return the serving Deployment with the pods of the canary. stable, canary: on the server.

    notes: the annotations that mldeploy has applied to the canary. Like `build_update`, it contains the server's
    defaults.
    """
    spec = table(canary, "spec")
    return {
        "apiVersion": DEPLOYMENT.version,
        "kind": DEPLOYMENT.kind,
        "metadata": {
            "name": owner.app,
            "namespace": text(stable, "metadata", "namespace"),
            "labels": texts(canary, "metadata", "labels"),
            "annotations": {**notes, CONFIGURATION: configuration_of(canary)},
        },
        "spec": {
            **spec,
            "replicas": number(stable, "spec", "replicas"),
            "selector": {"matchLabels": owner.selector},
            "template": _with_labels(table(spec, "template"), owner.canary, owner.selector),
        },
    }


def canary_service_manifest(owner: Owner, namespace: str, labels: dict[str, str], port: int) -> Document:
    """Return the Service of a canary, to which a Gateway sends its share. port: the Service's."""
    return {
        "apiVersion": SERVICE.version,
        "kind": SERVICE.kind,
        "metadata": object_metadata(owner, canary_name(owner), namespace, labels=labels),
        "spec": {
            "type": "ClusterIP",
            "selector": owner.canary,
            "ports": [{"name": PORT, "port": port, "targetPort": PORT, "protocol": "TCP"}],
        },
    }


def configuration_of(document: Document) -> str:
    """Return the digest of a Deployment's pod template, which is the same for a canary."""
    return texts(document, "metadata", "annotations").get(CONFIGURATION, "")


def is_examined(canary: Document) -> bool:
    """Whether a canary has passed its examination: the command may have been killed before."""
    notes = texts(canary, "metadata", "annotations")
    return bool(notes.get(READY)) and notes.get(READY) == notes.get(CONFIGURATION)


def select_pods(service: Document, selector: dict[str, str]) -> Document:
    """Return the manifest of a Service that selects these pods."""
    return {**service, "spec": {**table(service, "spec"), "selector": selector}}


def selects_canary(owner: Owner, service: Document) -> bool:
    """Whether a Service selects the pods of both versions."""
    return texts(service, "spec", "selector") == owner.both


def route_share(owner: Owner, route: Document, percent: int) -> Document:
    """Return the manifest of an HTTPRoute that sends the canary this share."""
    (rule,) = rows(route, "spec", "rules")
    (backend,) = rows(rule, "backendRefs")
    shares = [
        {**backend, "weight": WHOLE - percent},
        {**backend, "name": canary_name(owner), "weight": percent},
    ]
    return {**route, "spec": {**table(route, "spec"), "rules": [{**rule, "backendRefs": shares}]}}


def canary_percent(owner: Owner, route: Document) -> int:
    """Return the share that an HTTPRoute sends the canary."""
    for rule in rows(route, "spec", "rules"):
        for each in rows(rule, "backendRefs"):
            if text(each, "name") == canary_name(owner):
                return number(each, "weight")
    return 0


def nearest_replicas(stable: int, percent: int) -> int:
    """Return how many pods of the canary come nearest to a share beside so many others; at most as many as these."""
    return min(range(1, max(stable, 1) + 1), key=lambda count: abs(WHOLE * count / (stable + count) - percent))


def _with_labels(template: Document, before: dict[str, str], after: dict[str, str]) -> Document:
    """Return a pod template with other selecting labels."""
    metadata = table(template, "metadata")
    labels = {key: value for key, value in texts(metadata, "labels").items() if key not in before}
    kept = {key: value for key, value in metadata.items() if key != "creationTimestamp"}
    return {**template, "metadata": {**kept, "labels": {**labels, **after}}}
