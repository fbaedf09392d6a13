"""The target `kubernetes`: any cluster that a kubeconfig names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.step import Resource, Step
from mldeploy.image.engine import Engine
from mldeploy.image.registry.client import Registry
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.steps import BaseImage, BuiltImage, EngineImage
from mldeploy.providers.base import Login, Provider
from mldeploy.providers.checks import Check
from mldeploy.providers.kubernetes.checks import SECONDS, look
from mldeploy.providers.kubernetes.cloud import KubernetesCloud
from mldeploy.providers.kubernetes.connected import ConnectedCluster, GivenRepository
from mldeploy.providers.kubernetes.goal import KINDS, in_cluster
from mldeploy.providers.kubernetes.inventory import in_cluster_inventory
from mldeploy.providers.kubernetes.kubeconfig import enter
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.operate import InClusterService
from mldeploy.providers.kubernetes.permissions import policy
from mldeploy.providers.kubernetes.registries import path_of, repository
from mldeploy.providers.kubernetes.rendering import manifests
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.providers.kubernetes.steps.endpoint import KubernetesEndpoint
from mldeploy.providers.manifests import Manifests

TARGET = "kubernetes"
ALL_KINDS: Mapping[str, type[Step[KubernetesCloud, object]]] = MappingProxyType(
    {
        **{step.kind: step for step in (BaseImage, EngineImage, GivenRepository, PushedImage, ConnectedCluster)},
        **KINDS,
    }
)


class KubernetesProvider:
    """`mldeploy.providers.base.Provider` for a cluster that is there."""

    name = TARGET
    settings: type[TargetSettings] = KubernetesSettings
    kinds: Mapping[str, type[Step[KubernetesCloud, object]]] = ALL_KINDS

    def connect(self, project: Project, settings: KubernetesSettings, endpoints: Endpoints) -> KubernetesCloud:
        """Raises CredentialsError, ConfigError (no registry); EngineError if no engine answers."""
        app = project.app.name
        access = enter(settings.context, endpoints)
        kept = repository(app, settings, endpoints)
        space = settings.space(app)
        return KubernetesCloud(Engine.connect(), _owner(project), access.kube, space, access.context, kept)

    def place(self, cloud: KubernetesCloud) -> tuple[str, ...]:
        return cloud.place

    def login(self, cloud: KubernetesCloud) -> Login:
        """To the registry, as far as it can be asked without knowing what it holds."""
        access = cloud.repository.enter()
        with Registry(access) as registry:
            registry.digest(cloud.repository.path, "latest")
        place = (f"context {cloud.context}",) if cloud.context else (cloud.api.server,)
        return Login(access.user or "anybody", place, access)

    def push(self, project: Project, settings: KubernetesSettings) -> PushedImage:
        return PushedImage(BuiltImage.of(project), GivenRepository(path_of(project.app.name, settings)))

    def goal(self, project: Project, settings: KubernetesSettings) -> KubernetesEndpoint:
        """Raises ConfigError if the settings contradict themselves."""
        kept = GivenRepository(path_of(project.app.name, settings))
        image = PushedImage(BuiltImage.of(project), kept)
        credentials = kept if settings.pull_secret else None
        return in_cluster(project, settings, _owner(project), ConnectedCluster(), image, credentials)

    def manifests(
        self, cloud: KubernetesCloud, project: Project, settings: KubernetesSettings, image: str, *, secrets: bool
    ) -> Manifests:
        """`mldeploy.providers.manifests.HasManifests`."""
        access = cloud.repository.enter() if settings.pull_secret else None
        known = access if access and access.user else None
        return manifests(_owner(project), project, settings, image, access=known, secrets=secrets)

    def policy(self, cloud: KubernetesCloud) -> Mapping[str, object]:
        """`mldeploy.providers.policies.HasPolicy`: a Role and a ClusterRole."""
        return policy(cloud.owner, cloud.space)

    def checks(self, project: Project, settings: KubernetesSettings) -> Sequence[Check]:
        """`mldeploy.providers.checks.Diagnosable`: the kubeconfig, the cluster, the permissions, the registry."""
        return (Check(self.name, lambda: look(project, settings, _owner(project), PUBLIC), SECONDS),)

    def inventory(self, cloud: KubernetesCloud, project: Project) -> Collection[Resource]:
        return in_cluster_inventory(cloud.api, cloud.owner, ConnectedCluster().scope, cloud.space)

    def service(self, cloud: KubernetesCloud, project: Project, settings: KubernetesSettings) -> InClusterService:
        return InClusterService(lambda: cloud.api, project, settings, cloud.owner)


def _owner(project: Project) -> Owner:
    return Owner(project.app.name, TARGET)


provider: Provider[KubernetesCloud, KubernetesSettings] = KubernetesProvider()
