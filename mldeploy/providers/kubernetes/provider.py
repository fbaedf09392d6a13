"""The target `kubernetes`: any cluster from a kubeconfig."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.graph import derive_kinds
from mldeploy.core.step import Key, Kinds, Resource
from mldeploy.image.engine import Engine
from mldeploy.image.registry.client import RegistryClient
from mldeploy.image.steps import BuiltImage, EngineImage
from mldeploy.providers.base import Login
from mldeploy.providers.capabilities import DoctorCheck, ListedApp, Manifests
from mldeploy.providers.kubernetes.apps import list_apps
from mldeploy.providers.kubernetes.checks import SECONDS, check_target
from mldeploy.providers.kubernetes.cloud import (
    ExistingCluster,
    ExistingRepository,
    KubernetesCloud,
    image_access,
    repository_path,
    resolve_repository,
)
from mldeploy.providers.kubernetes.goal import build_candidate, build_goal
from mldeploy.providers.kubernetes.images import RegistryImage, has_images
from mldeploy.providers.kubernetes.inventory import list_resources
from mldeploy.providers.kubernetes.kubeconfig import authenticate
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.render import render_manifests
from mldeploy.providers.kubernetes.operations import InClusterService
from mldeploy.providers.kubernetes.permissions import build_policy
from mldeploy.providers.kubernetes.running.traffic import InClusterTraffic
from mldeploy.providers.kubernetes.secrets import ClusterSecret, ClusterSecretStore
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.providers.kubernetes.steps.candidate import CanaryDeployment
from mldeploy.providers.kubernetes.steps.endpoint import KubernetesEndpoint

TARGET = "kubernetes"
KINDS: Kinds[KubernetesCloud] = derive_kinds(
    KubernetesEndpoint, ExistingCluster, ExistingRepository, RegistryImage, EngineImage, ClusterSecret
)


class KubernetesProvider:
    """`mldeploy.providers.base.Provider` for an existing cluster."""

    name = TARGET
    settings: type[TargetSettings] = KubernetesSettings
    kinds: Kinds[KubernetesCloud] = KINDS

    def connect(self, project: Project, settings: KubernetesSettings, endpoints: Endpoints) -> KubernetesCloud:
        """Raises CredentialsError, ConfigError (no registry); EngineError if no engine answers."""
        app = project.app.name
        access = authenticate(settings.context, endpoints)
        repository = resolve_repository(app, settings, endpoints)
        space = settings.space(app)
        return KubernetesCloud(Engine.connect(), _owner(project), access.kube, space, access.context, repository)

    def place(self, cloud: KubernetesCloud) -> tuple[str, ...]:
        return cloud.place

    def login(self, cloud: KubernetesCloud) -> Login:
        """Authenticate to the registry by looking up the tag `latest`, which need not exist."""
        access = cloud.repository.enter()
        with RegistryClient(access) as registry:
            registry.digest(cloud.repository.path, "latest")
        place = (f"context {cloud.context}",) if cloud.context else (cloud.api.server,)
        return Login(access.user or "anybody", place, access)

    def push(self, project: Project, settings: KubernetesSettings) -> RegistryImage:
        return RegistryImage(BuiltImage.of(project), ExistingRepository(repository_path(project.app.name, settings)))

    def goal(self, project: Project, settings: KubernetesSettings) -> KubernetesEndpoint:
        """Raises ConfigError if the settings contradict each other."""
        image, credentials = _image_steps(project, settings)
        return build_goal(project, settings, _owner(project), ExistingCluster(), image, credentials)

    def candidate(self, project: Project, settings: KubernetesSettings) -> CanaryDeployment:
        """`mldeploy.providers.traffic.CanSplitTraffic`. Raises ConfigError."""
        image, credentials = _image_steps(project, settings)
        return build_candidate(project, settings, _owner(project), ExistingCluster(), image, credentials)

    def traffic(self, cloud: KubernetesCloud, project: Project, settings: KubernetesSettings) -> InClusterTraffic:
        """`mldeploy.providers.traffic.CanSplitTraffic`."""
        return InClusterTraffic(lambda: cloud.api, project, settings, cloud.owner)

    def manifests(
        self, cloud: KubernetesCloud, project: Project, settings: KubernetesSettings, image: str, *, secrets: bool
    ) -> Manifests:
        """`mldeploy.providers.capabilities.HasManifests`."""
        access = cloud.repository.enter() if settings.pull_secret else None
        known = access if access and access.user else None
        return render_manifests(_owner(project), project, settings, image, access=known, secrets=secrets)

    def offline_manifests(
        self, project: Project, settings: KubernetesSettings, image: str, endpoints: Endpoints, *, secrets: bool
    ) -> Manifests:
        """`mldeploy.providers.capabilities.RendersOffline`. The pull credentials are those of the image's registry."""
        access = image_access(image, endpoints) if settings.pull_secret else None
        known = access if access and access.user else None
        return render_manifests(_owner(project), project, settings, image, access=known, secrets=secrets)

    def policy(self, cloud: KubernetesCloud) -> Mapping[str, object]:
        """`mldeploy.providers.capabilities.HasPolicy`: a Role and a ClusterRole."""
        return build_policy(cloud.owner, cloud.space)

    def checks(self, project: Project, settings: KubernetesSettings) -> Sequence[DoctorCheck]:
        """`mldeploy.providers.capabilities.Diagnosable`: the kubeconfig, the cluster, the permissions, the registry."""
        return (DoctorCheck(self.name, lambda: check_target(project, settings, _owner(project), PUBLIC), SECONDS),)

    def inventory(self, cloud: KubernetesCloud, project: Project) -> Collection[Resource]:
        listed = list_resources(cloud.api, cloud.owner, ExistingCluster().scope, cloud.space)
        images = (Resource(RegistryImage.kind, Key(cloud.repository.path)),) if has_images(cloud) else ()
        return (*listed, *images)

    def apps(self, cloud: KubernetesCloud, settings: KubernetesSettings) -> Sequence[ListedApp[KubernetesSettings]]:
        """`mldeploy.providers.capabilities.ListsApps`: in every namespace that the credentials may read."""
        return [
            ListedApp(app, settings.model_copy(update={"namespace": space}))
            for app, space in list_apps(cloud.api, TARGET, settings.namespace)
        ]

    def secrets(self, cloud: KubernetesCloud, project: Project, settings: KubernetesSettings) -> ClusterSecretStore:
        """`mldeploy.providers.secret_store.HasSecretStore`."""
        return ClusterSecretStore(lambda: cloud.api, cloud.owner, ExistingCluster().scope, cloud.space)

    def service(self, cloud: KubernetesCloud, project: Project, settings: KubernetesSettings) -> InClusterService:
        return InClusterService(lambda: cloud.api, project, settings, cloud.owner)


def _image_steps(project: Project, settings: KubernetesSettings) -> tuple[RegistryImage, ExistingRepository | None]:
    """The pushed image, and the repository whose credentials the cluster pulls with."""
    repository = ExistingRepository(repository_path(project.app.name, settings))
    return RegistryImage(BuiltImage.of(project), repository), repository if settings.pull_secret else None


def _owner(project: Project) -> Owner:
    return Owner(project.app.name, TARGET)


provider = KubernetesProvider()
