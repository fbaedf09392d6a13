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
from mldeploy.providers.capabilities import DoctorCheck, Estimate, Finding, ListedApp, Manifests
from mldeploy.providers.gcp import checks, gar, registry_provider
from mldeploy.providers.gcp import checks as cluster_checks
from mldeploy.providers.gcp.account import authenticate
from mldeploy.providers.gcp.apis import CLUSTER_APIS
from mldeploy.providers.gcp.gke.cloud import GkeCloud, create_kube_client
from mldeploy.providers.gcp.gke.cluster import GkeCluster, SharedCluster
from mldeploy.providers.gcp.gke.clusters import ClusterState, list_clusters
from mldeploy.providers.gcp.gke.operations import GkeService, create_service
from mldeploy.providers.gcp.gke.permissions import DEPLOY_PERMISSIONS
from mldeploy.providers.gcp.gke.prices import estimate_gke
from mldeploy.providers.gcp.gke.repository import ReadableRepository
from mldeploy.providers.gcp.gke.settings import TABLE, TARGET, GkeSettings
from mldeploy.providers.gcp.permissions import build_role, unique_permissions
from mldeploy.providers.gcp.repository import GarImage
from mldeploy.providers.gcp.settings import APP as APP_LABEL
from mldeploy.providers.kubernetes.apps import list_apps
from mldeploy.providers.kubernetes.goal import build_candidate, build_goal
from mldeploy.providers.kubernetes.inventory import list_resources
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.manifests.render import render_manifests
from mldeploy.providers.kubernetes.running.traffic import InClusterTraffic
from mldeploy.providers.kubernetes.secrets import ClusterSecret, ClusterSecretStore
from mldeploy.providers.kubernetes.steps.candidate import CanaryDeployment
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
        owner, image = Owner(project.app.name, TARGET), self.push(project, settings)
        return build_goal(project, settings.fitting(project), owner, _cluster_step(project, settings), image)

    def candidate(self, project: Project, settings: GkeSettings) -> CanaryDeployment:
        """`mldeploy.providers.traffic.CanSplitTraffic`. Raises ConfigError."""
        owner, image = Owner(project.app.name, TARGET), self.push(project, settings)
        return build_candidate(project, settings.fitting(project), owner, _cluster_step(project, settings), image)

    def traffic(self, cloud: GkeCloud, project: Project, settings: GkeSettings) -> InClusterTraffic:
        """`mldeploy.providers.traffic.CanSplitTraffic`."""
        service = create_service(cloud, project, settings)
        return InClusterTraffic(service.connect, project, settings.fitting(project), cloud.owner)

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

    def apps(self, cloud: GkeCloud, settings: GkeSettings) -> Sequence[ListedApp[GkeSettings]]:
        """`mldeploy.providers.capabilities.ListsApps`: in the region's clusters that mldeploy created or may read."""
        return tuple(_list_apps(cloud, settings))

    def secrets(self, cloud: GkeCloud, project: Project, settings: GkeSettings) -> ClusterSecretStore:
        """`mldeploy.providers.secret_store.HasSecretStore`: in the cluster, which the first deployment creates."""
        scope = (cloud.cluster,)
        return ClusterSecretStore(lambda: cloud.kube(scope), cloud.owner, scope, cloud.space)

    def secret_host(self, project: Project, settings: GkeSettings) -> GkeCluster | SharedCluster:
        """`mldeploy.providers.secret_store.CreatesSecretHost`: the cluster. Raises ConfigError."""
        return _cluster_step(project, settings)

    def service(self, cloud: GkeCloud, project: Project, settings: GkeSettings) -> GkeService:
        return create_service(cloud, project, settings)


def _cluster_step(project: Project, settings: GkeSettings) -> GkeCluster | SharedCluster:
    """The cluster of the app's own, or a shared one. Raises ConfigError."""
    settings.check(project)
    platform = project.build.platform
    return (
        SharedCluster(settings.cluster, platform)
        if settings.cluster
        else GkeCluster(project.app.name, settings, platform)
    )


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


def _list_apps(cloud: GkeCloud, settings: GkeSettings) -> Iterator[ListedApp[GkeSettings]]:
    for cluster in list_clusters(cloud):
        owner = cluster.labels.get(APP_LABEL, "")
        is_ready = cluster.location == cloud.account.location and cluster.state is ClusterState.RUNNING
        if not is_ready or not (owner or cluster.name == settings.cluster):
            continue
        kube = create_kube_client(cloud.account, cluster)
        for app, space in list_apps(kube, TARGET, settings.namespace):
            shared = "" if app == owner else cluster.name
            yield ListedApp(app, settings.model_copy(update={"namespace": space, "cluster": shared}))


provider = GkeProvider()
