"""What a cluster itself says is the app's, by its labels."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.core.step import Key, Resource
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.providers.kubernetes.errors import Refusal, kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.environment import COMPONENT, ENVIRONMENT
from mldeploy.providers.kubernetes.reading import Document, name_of, texts
from mldeploy.providers.kubernetes.steps.deployment import Deployment
from mldeploy.providers.kubernetes.steps.environment import ConfigMap, EnvironmentSecret
from mldeploy.providers.kubernetes.steps.exposure import HttpRoute, Ingress, Service
from mldeploy.providers.kubernetes.steps.namespace import Namespace, removable
from mldeploy.providers.kubernetes.steps.pulling import PullSecret
from mldeploy.providers.kubernetes.steps.scaling import Autoscaler, DisruptionBudget
from mldeploy.providers.kubernetes.types import (
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    HTTP_ROUTE,
    INGRESS,
    POD,
    SECRET,
    SERVICE,
    ObjectType,
)

_KINDS = (
    (AUTOSCALER, Autoscaler.kind),
    (DISRUPTION_BUDGET, DisruptionBudget.kind),
    (HTTP_ROUTE, HttpRoute.kind),
    (INGRESS, Ingress.kind),
    (SERVICE, Service.kind),
    (DEPLOYMENT, Deployment.kind),
)
_GENERATIONS = ((CONFIG_MAP, ConfigMap.kind), (SECRET, EnvironmentSecret.kind))


def in_cluster_inventory(kube: Kube, owner: Owner, cluster: tuple[str, ...], space: str) -> tuple[Resource, ...]:
    """Everything in its namespace, and that. Raises on any doubt: what cannot be listed might be there.

    cluster: the scope of the cluster's step.
    """
    with kubernetes_errors(f"namespace {space}"):
        return tuple(_found(kube, owner, (*cluster, space)))


def _found(kube: Kube, owner: Owner, scope: tuple[str, ...]) -> Iterator[Resource]:
    space = scope[-1]
    for kind, step in _KINDS:
        for each in _listed(kube, owner, kind, space):
            yield Resource(step, Key(name_of(each), scope))
    if kube.select(POD, space, owner.trial):
        yield Resource(Deployment.kind, Key(owner.app, scope))
    for kind, step in _GENERATIONS:
        held = _listed(kube, owner, kind, space)
        if any(_is_environment(each) for each in held):
            yield Resource(step, Key(owner.app, scope))
        if kind is SECRET:
            others = (each for each in held if not _is_environment(each))
            yield from (Resource(PullSecret.kind, Key(name_of(each), scope)) for each in others)
    if removable(kube, owner, space):
        yield Resource(Namespace.kind, Key(space, scope[:-1]))


def _listed(kube: Kube, owner: Owner, kind: ObjectType, space: str) -> tuple[Document, ...]:
    try:
        return kube.select(kind, space, owner.selector)
    except Refusal as refusal:
        if refusal.status == 404 and kind is HTTP_ROUTE:  # an extension, which this cluster does not have
            return ()
        raise


def _is_environment(found: Document) -> bool:
    return texts(found, "metadata", "labels").get(COMPONENT) == ENVIRONMENT
