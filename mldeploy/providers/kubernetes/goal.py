"""The step graph of an app in a cluster, for every target with a cluster."""

from __future__ import annotations

from typing import Never

from mldeploy.config.settings import Project
from mldeploy.image.registry.steps import PushedImage, RepositoryStep
from mldeploy.providers.kubernetes.api import (
    AUTOSCALER,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    HTTP_ROUTE,
    INGRESS,
    SERVICE,
    ObjectType,
)
from mldeploy.providers.kubernetes.cloud import ClusterStep
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.environment import ContainerEnvironment
from mldeploy.providers.kubernetes.settings import ExposureKind, InClusterSettings
from mldeploy.providers.kubernetes.steps.candidate import CanaryDeployment, CanaryService
from mldeploy.providers.kubernetes.steps.deployment import Autoscaler, DisruptionBudget, KubernetesDeployment
from mldeploy.providers.kubernetes.steps.endpoint import KubernetesEndpoint
from mldeploy.providers.kubernetes.steps.environment import ConfigMap, EnvironmentSecret, PullSecret
from mldeploy.providers.kubernetes.steps.exposure import HttpRoute, Ingress, KubernetesService
from mldeploy.providers.kubernetes.steps.namespace import Namespace


def build_goal(
    project: Project,
    settings: InClusterSettings,
    owner: Owner,
    cluster: ClusterStep[Never],
    image: PushedImage,
    credentials: RepositoryStep[Never] | None = None,
) -> KubernetesEndpoint:
    """Build the step graph. The image is built and pushed while the cluster and its other objects are created.

    credentials: the repository whose credentials the cluster pulls with; None where its nodes have their own.
    Raises ConfigError if the settings contradict each other.
    """
    settings.check(project)
    space = settings.space(project.app.name)
    namespace = Namespace(owner, cluster, space, _named_types(settings))
    environment = ContainerEnvironment.of(project.app)
    config = ConfigMap(owner, cluster, space, namespace, environment)
    secret = EnvironmentSecret(owner, cluster, space, namespace, environment) if environment.secret else None
    pull_secret = PullSecret(owner, cluster, space, namespace, credentials) if credentials else None
    budget = DisruptionBudget(owner, cluster, space, namespace, settings)
    deployment = KubernetesDeployment(
        project, settings, owner, cluster, space, namespace, image, config, secret, pull_secret
    )
    service = KubernetesService(owner, cluster, space, namespace, settings, project.app.keeps_sessions)
    scaling = Autoscaler(owner, cluster, space, namespace, settings, deployment) if settings.max else None
    route = _route(owner, cluster, namespace, settings, service)
    return KubernetesEndpoint(project, settings, owner, cluster, space, deployment, service, route, budget, scaling)


def build_candidate(
    project: Project,
    settings: InClusterSettings,
    owner: Owner,
    cluster: ClusterStep[Never],
    image: PushedImage,
    credentials: RepositoryStep[Never] | None = None,
) -> CanaryDeployment:
    """Build the step graph of a canary. Parameters and errors as for `build_goal`."""
    settings.check(project)
    space = settings.space(project.app.name)
    namespace = Namespace(owner, cluster, space, _named_types(settings))
    environment = ContainerEnvironment.of(project.app)
    config = ConfigMap(owner, cluster, space, namespace, environment)
    secret = EnvironmentSecret(owner, cluster, space, namespace, environment) if environment.secret else None
    pull_secret = PullSecret(owner, cluster, space, namespace, credentials) if credentials else None
    is_weighted = settings.way is ExposureKind.GATEWAY
    service = CanaryService(owner, cluster, space, namespace, settings) if is_weighted else None
    return CanaryDeployment(
        project, settings, owner, cluster, space, namespace, image, config, secret, pull_secret, service
    )


def _named_types(settings: InClusterSettings) -> tuple[ObjectType, ...]:
    """Return the types of the objects that get the app's name."""
    routes = {ExposureKind.INGRESS: (INGRESS,), ExposureKind.GATEWAY: (HTTP_ROUTE,)}
    scaling = (AUTOSCALER,) if settings.max else ()
    return (DEPLOYMENT, SERVICE, DISRUPTION_BUDGET, *routes.get(settings.way, ()), *scaling)


def _route(
    owner: Owner,
    cluster: ClusterStep[Never],
    namespace: Namespace,
    settings: InClusterSettings,
    service: KubernetesService,
) -> Ingress | HttpRoute | None:
    if settings.way is ExposureKind.INGRESS:
        return Ingress(owner, cluster, namespace.space, namespace, settings, service)
    if settings.way is ExposureKind.GATEWAY:
        return HttpRoute(owner, cluster, namespace.space, namespace, settings, service)
    return None
