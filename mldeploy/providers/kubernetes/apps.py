"""The apps in a cluster, by the labels of their Deployments."""

from __future__ import annotations

from mldeploy.providers.kubernetes.api import DEPLOYMENT, KubeClient
from mldeploy.providers.kubernetes.documents import MANAGER, text, texts
from mldeploy.providers.kubernetes.errors import ApiStatusError, kubernetes_errors
from mldeploy.providers.kubernetes.labels import APP, MANAGED_BY, TARGET

_FORBIDDEN = 403


def list_apps(kube: KubeClient, target: str, namespace: str) -> tuple[tuple[str, str], ...]:
    """Return each app and its namespace, in all namespaces.

    Credentials that may not read them all see the namespace alone; "" if no namespace is configured, which raises
    DeniedError then.
    """
    labels = {TARGET: target, MANAGED_BY: MANAGER}
    with kubernetes_errors("apps"):
        try:
            found = kube.select(DEPLOYMENT, "", labels)
        except ApiStatusError as refusal:
            if refusal.status != _FORBIDDEN or not namespace:
                raise
            found = kube.select(DEPLOYMENT, namespace, labels)
    pairs = ((texts(each, "metadata", "labels").get(APP, ""), text(each, "metadata", "namespace")) for each in found)
    return tuple(sorted({pair for pair in pairs if pair[0]}))
