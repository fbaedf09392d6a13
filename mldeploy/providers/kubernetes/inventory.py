"""List the app's objects in a cluster, by their labels."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.core.step import Key, Resource
from mldeploy.providers.kubernetes.api import (
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    HTTP_ROUTE,
    INGRESS,
    POD,
    SECRET,
    SERVICE,
    KubeClient,
    ObjectType,
)
from mldeploy.providers.kubernetes.documents import Document, name_of, texts
from mldeploy.providers.kubernetes.errors import ApiStatusError, kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.environment import COMPONENT, ENVIRONMENT
from mldeploy.providers.kubernetes.secrets import ClusterSecret, is_stored_secret
from mldeploy.providers.kubernetes.steps.deployment import Autoscaler, DisruptionBudget, KubernetesDeployment
from mldeploy.providers.kubernetes.steps.environment import ConfigMap, EnvironmentSecret, PullSecret
from mldeploy.providers.kubernetes.steps.exposure import HttpRoute, Ingress, KubernetesService
from mldeploy.providers.kubernetes.steps.namespace import Namespace, is_removable

_KINDS = (
    (AUTOSCALER, Autoscaler.kind),
    (DISRUPTION_BUDGET, DisruptionBudget.kind),
    (HTTP_ROUTE, HttpRoute.kind),
    (INGRESS, Ingress.kind),
    (SERVICE, KubernetesService.kind),
    (DEPLOYMENT, KubernetesDeployment.kind),
)
_ENVIRONMENT_KINDS = ((CONFIG_MAP, ConfigMap.kind), (SECRET, EnvironmentSecret.kind))


def list_resources(kube: KubeClient, owner: Owner, cluster: tuple[str, ...], space: str) -> tuple[Resource, ...]:
    """Return the app's objects in its namespace, and the namespace. Raises if a type cannot be listed.

    cluster: the scope of the cluster's step.
    """
    with kubernetes_errors(f"namespace {space}"):
        return tuple(_iterate_resources(kube, owner, (*cluster, space)))


def _iterate_resources(kube: KubeClient, owner: Owner, scope: tuple[str, ...]) -> Iterator[Resource]:
    space = scope[-1]
    for kind, step in _KINDS:
        for each in _select_objects(kube, owner, kind, space):
            yield Resource(step, Key(name_of(each), scope))
    if kube.select(POD, space, owner.trial):
        yield Resource(KubernetesDeployment.kind, Key(owner.app, scope))
    for kind, step in _ENVIRONMENT_KINDS:
        held = _select_objects(kube, owner, kind, space)
        if any(_is_environment(each) for each in held):
            yield Resource(step, Key(owner.app, scope))
        if kind is SECRET:
            for each in held:
                if not _is_environment(each):
                    other = ClusterSecret.kind if is_stored_secret(each) else PullSecret.kind
                    yield Resource(other, Key(name_of(each), scope))
    if is_removable(kube, owner, space):
        yield Resource(Namespace.kind, Key(space, scope[:-1]))


def _select_objects(kube: KubeClient, owner: Owner, kind: ObjectType, space: str) -> tuple[Document, ...]:
    try:
        return kube.select(kind, space, owner.selector)
    except ApiStatusError as refusal:
        if refusal.status == 404 and kind is HTTP_ROUTE:  # an extension that this cluster does not have
            return ()
        raise


def _is_environment(document: Document) -> bool:
    return texts(document, "metadata", "labels").get(COMPONENT) == ENVIRONMENT
