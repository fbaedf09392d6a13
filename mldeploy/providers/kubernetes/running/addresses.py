"""Where an app in a cluster answers."""

from __future__ import annotations

from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.reading import Document, rows, text
from mldeploy.providers.kubernetes.settings import InClusterSettings, Way
from mldeploy.providers.kubernetes.types import SERVICE


def url_of(kube: Kube, owner: Owner, namespace: str, settings: InClusterSettings) -> str:
    """The app's URL, "" while it has none."""
    if settings.way is Way.INGRESS:
        return f"{'https' if settings.tls_secret else 'http'}://{settings.domain}"
    if settings.way is Way.GATEWAY:
        return f"{'https' if settings.gateway_https else 'http'}://{settings.domain}"
    if settings.way is Way.CLUSTER_IP:
        return f"http://{owner.app}.{namespace}.svc"
    found = kube.get(SERVICE, owner.app, namespace)
    host = external(found) if found is not None and owner.owns(found) else ""
    return f"http://{host}" if host else ""


def external(service: Document) -> str:
    """The address that a load balancer has given a Service, an IP address or a name; "" while it has none."""
    for each in rows(service, "status", "loadBalancer", "ingress"):
        if host := text(each, "ip") or text(each, "hostname"):
            return f"[{host}]" if ":" in host else host
    return ""
