"""Where an app in a cluster answers."""

from __future__ import annotations

from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.reading import Document, number, rows, text
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


def external(exposed: Document) -> str:
    """The address that a Service or an Ingress has been given, an IP address or a name; "" while it has none."""
    for each in rows(exposed, "status", "loadBalancer", "ingress"):
        if host := text(each, "ip") or text(each, "hostname"):
            return f"[{host}]" if ":" in host else host
    return ""


def admissions(route: Document) -> tuple[Document, ...]:
    """What the Gateways that an HTTPRoute names say of whether they let it in as it is now.

    https://gateway-api.sigs.k8s.io/reference/spec/#routeparentstatus
    """
    now = number(route, "metadata", "generation")
    said = (each for parent in rows(route, "status", "parents") for each in rows(parent, "conditions"))
    return tuple(
        each for each in said if text(each, "type") == "Accepted" and number(each, "observedGeneration") in (0, now)
    )


def refusal_of(admission: Document) -> str:
    """Why a Gateway does not let a route in, "" if it does, or has not decided yet."""
    if text(admission, "status") != "False":
        return ""
    message, reason = text(admission, "message"), text(admission, "reason")
    return f"{message} ({reason})" if message else reason
