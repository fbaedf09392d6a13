"""How the app is reached: a Service, and an Ingress or an HTTPRoute that leads to it."""

from __future__ import annotations

from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.deployment import PORT
from mldeploy.providers.kubernetes.manifests.parts import metadata
from mldeploy.providers.kubernetes.reading import Document
from mldeploy.providers.kubernetes.settings import InClusterSettings, Way
from mldeploy.providers.kubernetes.types import HTTP_ROUTE, INGRESS, SERVICE

OUTSIDE = 80
"""The port at which a Service answers."""
ISSUER = "cert-manager.io/cluster-issuer"


def service(owner: Owner, namespace: str, settings: InClusterSettings) -> Document:
    """Leads to the app's pods. https://kubernetes.io/docs/concepts/services-networking/service/"""
    return {
        "apiVersion": SERVICE.version,
        "kind": SERVICE.kind,
        "metadata": metadata(owner, owner.app, namespace),
        "spec": {
            "type": "LoadBalancer" if settings.way is Way.LOAD_BALANCER else "ClusterIP",
            "selector": owner.selector,
            "ports": [{"name": PORT, "port": OUTSIDE, "targetPort": PORT, "protocol": "TCP"}],
        },
    }


def ingress(owner: Owner, namespace: str, settings: InClusterSettings) -> Document:
    """https://kubernetes.io/docs/concepts/services-networking/ingress/"""
    backend = {"service": {"name": owner.app, "port": {"name": PORT}}}
    rule = {"host": settings.domain, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec: dict[str, object] = {"rules": [rule]}
    if settings.ingress_class:
        spec["ingressClassName"] = settings.ingress_class
    if settings.tls_secret:
        spec["tls"] = [{"hosts": [settings.domain], "secretName": settings.tls_secret}]
    notes = {ISSUER: settings.cluster_issuer} if settings.cluster_issuer else {}
    return {
        "apiVersion": INGRESS.version,
        "kind": INGRESS.kind,
        "metadata": metadata(owner, owner.app, namespace, annotations=notes),
        "spec": spec,
    }


def http_route(owner: Owner, namespace: str, settings: InClusterSettings) -> Document:
    """https://gateway-api.sigs.k8s.io/api-types/httproute/"""
    where, _, name = settings.gateway.rpartition("/")
    parent = {"name": name, **({"namespace": where} if where else {})}
    if settings.gateway_listener:
        parent["sectionName"] = settings.gateway_listener
    return {
        "apiVersion": HTTP_ROUTE.version,
        "kind": HTTP_ROUTE.kind,
        "metadata": metadata(owner, owner.app, namespace),
        "spec": {
            "parentRefs": [parent],
            "hostnames": [settings.domain],
            "rules": [{"backendRefs": [{"name": owner.app, "port": OUTSIDE}]}],
        },
    }
