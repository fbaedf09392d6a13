"""The graph of an app in a cluster, whoever brings the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Never

from mldeploy.config.settings import Project
from mldeploy.core.step import Step
from mldeploy.image.registry.steps import PushedImage, RepositoryStep
from mldeploy.providers.kubernetes.cluster import ClusterStep, HasCluster
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.environment import Environment
from mldeploy.providers.kubernetes.settings import InClusterSettings, Way
from mldeploy.providers.kubernetes.steps.deployment import Deployment
from mldeploy.providers.kubernetes.steps.endpoint import KubernetesEndpoint
from mldeploy.providers.kubernetes.steps.environment import ConfigMap, EnvironmentSecret
from mldeploy.providers.kubernetes.steps.exposure import HttpRoute, Ingress, Service
from mldeploy.providers.kubernetes.steps.namespace import Namespace
from mldeploy.providers.kubernetes.steps.pulling import PullSecret
from mldeploy.providers.kubernetes.steps.scaling import Autoscaler, DisruptionBudget

KINDS: Mapping[str, type[Step[HasCluster, object]]] = MappingProxyType(
    {
        step.kind: step
        for step in (
            Namespace,
            ConfigMap,
            EnvironmentSecret,
            PullSecret,
            Deployment,
            Service,
            Ingress,
            HttpRoute,
            DisruptionBudget,
            Autoscaler,
            KubernetesEndpoint,
        )
    }
)
"""What a target in a cluster has besides its image, its registry and its cluster."""


def in_cluster(
    project: Project,
    settings: InClusterSettings,
    owner: Owner,
    cluster: ClusterStep[Never],
    image: PushedImage,
    credentials: RepositoryStep[Never] | None = None,
) -> KubernetesEndpoint:
    """The app answers. The image is built and pushed while the cluster and what needs no image are made.

    credentials: the repository whose access the cluster is given to pull with; None where its nodes have their own.
    Raises ConfigError if the settings contradict themselves.
    """
    settings.check(project)
    space = settings.space(project.app.name)
    namespace = Namespace(owner, cluster, space)
    environment = Environment.of(project.app)
    config = ConfigMap(owner, cluster, space, namespace, environment)
    secret = EnvironmentSecret(owner, cluster, space, namespace, environment) if environment.secret else None
    pull = PullSecret(owner, cluster, space, namespace, credentials) if credentials else None
    budget = DisruptionBudget(owner, cluster, space, namespace)
    deployment = Deployment(project, settings, owner, cluster, space, namespace, image, config, secret, pull)
    service = Service(owner, cluster, space, namespace, settings)
    scaling = Autoscaler(owner, cluster, space, namespace, settings, deployment) if settings.max else None
    route = _route(owner, cluster, namespace, settings, service)
    return KubernetesEndpoint(project, settings, owner, cluster, space, deployment, service, route, budget, scaling)


def _route(
    owner: Owner, cluster: ClusterStep[Never], namespace: Namespace, settings: InClusterSettings, service: Service
) -> Ingress | HttpRoute | None:
    if settings.way is Way.INGRESS:
        return Ingress(owner, cluster, namespace.space, namespace, settings, service)
    if settings.way is Way.GATEWAY:
        return HttpRoute(owner, cluster, namespace.space, namespace, settings, service)
    return None
