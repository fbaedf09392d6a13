"""The target `gke`: Google Kubernetes Engine."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.graph import derive_kinds
from mldeploy.core.step import Key, Kinds, Resource
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BuiltImage, EngineImage
from mldeploy.providers.base import Login
from mldeploy.providers.capabilities import DoctorCheck, Estimate, Finding, Manifests
from mldeploy.providers.gcp import checks, gar, registry_provider
from mldeploy.providers.gcp import checks as cluster_checks
from mldeploy.providers.gcp.account import authenticate
from mldeploy.providers.gcp.apis import CLUSTER_APIS
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.cluster import GkeCluster, SharedCluster
from mldeploy.providers.gcp.gke.clusters import list_clusters
from mldeploy.providers.gcp.gke.operations import GkeService, create_service
from mldeploy.providers.gcp.gke.permissions import DEPLOY_PERMISSIONS
from mldeploy.providers.gcp.gke.prices import estimate_gke
from mldeploy.providers.gcp.gke.repository import ReadableRepository
from mldeploy.providers.gcp.gke.settings import TABLE, TARGET, GkeSettings
from mldeploy.providers.gcp.permissions import build_role, unique_permissions
from mldeploy.providers.gcp.repository import GarImage
from mldeploy.providers.kubernetes.goal import build_goal
from mldeploy.providers.kubernetes.inventory import list_resources
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.render import render_manifests
from mldeploy.providers.kubernetes.secrets import ClusterSecret, ClusterSecretStore
from mldeploy.providers.kubernetes.steps.endpoint import KubernetesEndpoint

KINDS: Kinds[GkeCloud] = derive_kinds(
    KubernetesEndpoint, GkeCluster, SharedCluster, GarImage, ReadableRepository, EngineImage, ClusterSecret
)


class GkeProvider:
    """`mldeploy.providers.base.Provider` for Google's Kubernetes Engine."""

    name = TARGET
    settings: type[TargetSettings] = GkeSettings
    kinds: Kinds[GkeCloud] = KINDS

    def connect(self, project: Project, settings: GkeSettings, endpoints: Endpoints) -> GkeCloud:
        """Raises CredentialsError, ConfigError (no project, no region), GcpError; EngineError if no engine answers."""
        settings.check(project)
        account = authenticate(TABLE, settings, endpoints, region=settings.region, zone=settings.zone)
        return GkeCloud.of(Engine.connect(), account, project.app.name, settings)

    def place(self, cloud: GkeCloud) -> tuple[str, ...]:
        return cloud.account.scope

    def login(self, cloud: GkeCloud) -> Login:
        """Credentials for the registry of the image."""
        return registry_provider.registry_login(cloud)

    def push(self, project: Project, settings: GkeSettings) -> GarImage:
        app = project.app.name
        repository = ReadableRepository(
            settings.repository or app, app, settings.keep_images, settings, project.build.platform
        )
        return GarImage(BuiltImage.of(project), repository)

    def goal(self, project: Project, settings: GkeSettings) -> KubernetesEndpoint:
        """The steps of a deployment. The image is built while the cluster is created. Raises ConfigError."""
        app = project.app.name
        shared = SharedCluster(settings.cluster, project.build.platform)
        cluster = shared if settings.cluster else GkeCluster(app, settings, project.build.platform)
        settings.check(project)
        return build_goal(project, settings.fitting(project), Owner(app, TARGET), cluster, self.push(project, settings))

    def manifests(
        self, cloud: GkeCloud, project: Project, settings: GkeSettings, image: str, *, secrets: bool
    ) -> Manifests:
        """`mldeploy.providers.capabilities.HasManifests`. The nodes pull with their service account."""
        return self.offline_manifests(project, settings, image, PUBLIC, secrets=secrets)

    def offline_manifests(
        self, project: Project, settings: GkeSettings, image: str, endpoints: Endpoints, *, secrets: bool
    ) -> Manifests:
        """`mldeploy.providers.capabilities.RendersOffline`."""
        owner = Owner(project.app.name, TARGET)
        return render_manifests(owner, project, settings.fitting(project), image, access=None, secrets=secrets)

    def policy(self, cloud: GkeCloud) -> Mapping[str, object]:
        """`mldeploy.providers.capabilities.HasPolicy`: a custom role."""
        return build_role(DEPLOY_PERMISSIONS)

    def costs(self, cloud: GkeCloud, project: Project, settings: GkeSettings) -> Estimate:
        """`mldeploy.providers.capabilities.HasCosts`."""
        return estimate_gke(cloud.account.location, project, settings)

    def inventory(self, cloud: GkeCloud, project: Project) -> Collection[Resource]:
        """Objects in the clusters, then the app's clusters, then its repositories."""
        return (*_list_cluster_resources(cloud), *gar.list_owned_repositories(cloud))

    def checks(self, project: Project, settings: GkeSettings) -> Sequence[DoctorCheck]:
        """`mldeploy.providers.capabilities.Diagnosable`: credentials, project, APIs, repository, cluster, quotas."""
        return (DoctorCheck(self.name, lambda: self.diagnose(project, settings, PUBLIC), checks.SECONDS),)

    def diagnose(self, project: Project, settings: GkeSettings, endpoints: Endpoints) -> Iterator[Finding]:
        """The checks of `mldeploy doctor`. Read-only."""
        connect = partial(self.connect, project, settings, endpoints)
        own = partial(cluster_checks.check_cluster, settings=settings)
        return checks.check_target(connect, CLUSTER_APIS, unique_permissions(DEPLOY_PERMISSIONS.values()), own)

    def secrets(self, cloud: GkeCloud, project: Project, settings: GkeSettings) -> ClusterSecretStore:
        """`mldeploy.providers.secret_store.HasSecretStore`: in the cluster, which the first deployment creates."""
        scope = (cloud.cluster,)
        return ClusterSecretStore(lambda: cloud.kube(scope), cloud.owner, scope, cloud.space)

    def service(self, cloud: GkeCloud, project: Project, settings: GkeSettings) -> GkeService:
        return create_service(cloud, project, settings)


def _list_cluster_resources(cloud: GkeCloud) -> Iterator[Resource]:
    """The app's clusters, by label, and its objects in them and in the shared cluster. Each cluster is read again."""
    here = [each for each in list_clusters(cloud) if each.location == cloud.account.location]
    ours = [each.name for each in here if not each.missing_labels(cloud.app)]
    for name in dict.fromkeys((*ours, *(each.name for each in here if each.name == cloud.cluster))):
        kube = cloud.kube((name,))
        if kube is not None:
            yield from list_resources(kube, cloud.owner, (name,), cloud.space)
        if name in ours:
            yield Resource(GkeCluster.kind, Key(name))


provider = GkeProvider()
