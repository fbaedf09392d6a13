"""The target `gke`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.step import Key, Resource, Step
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BaseImage, BuiltImage, EngineImage
from mldeploy.providers.base import Login, Provider
from mldeploy.providers.checks import Check, Finding
from mldeploy.providers.costs import Estimate
from mldeploy.providers.gcp import checks, gar, pushing
from mldeploy.providers.gcp.account import enter
from mldeploy.providers.gcp.apis import CLUSTER_APIS
from mldeploy.providers.gcp.gke import checks as cluster_checks
from mldeploy.providers.gcp.gke.cloud import GkeCloud
from mldeploy.providers.gcp.gke.cluster import GkeCluster, SharedCluster
from mldeploy.providers.gcp.gke.clusters import listed
from mldeploy.providers.gcp.gke.operate import GkeService, service
from mldeploy.providers.gcp.gke.permissions import DEPLOYING
from mldeploy.providers.gcp.gke.prices import estimate
from mldeploy.providers.gcp.gke.repository import ReadableRepository
from mldeploy.providers.gcp.gke.settings import TABLE, TARGET, GkeSettings
from mldeploy.providers.gcp.permissions import named, policy
from mldeploy.providers.gcp.repository import GarImage
from mldeploy.providers.kubernetes.goal import KINDS as IN_CLUSTER
from mldeploy.providers.kubernetes.goal import in_cluster
from mldeploy.providers.kubernetes.inventory import in_cluster_inventory
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.rendering import manifests
from mldeploy.providers.kubernetes.steps.endpoint import KubernetesEndpoint
from mldeploy.providers.manifests import Manifests

_OWN = (BaseImage, EngineImage, ReadableRepository, GarImage, GkeCluster, SharedCluster)
KINDS: Mapping[str, type[Step[GkeCloud, object]]] = MappingProxyType(
    {**{step.kind: step for step in _OWN}, **IN_CLUSTER}
)


class GkeProvider:
    """`mldeploy.providers.base.Provider` for Google's Kubernetes Engine."""

    name = TARGET
    settings: type[TargetSettings] = GkeSettings
    kinds: Mapping[str, type[Step[GkeCloud, object]]] = KINDS

    def connect(self, project: Project, settings: GkeSettings, endpoints: Endpoints) -> GkeCloud:
        """Raises CredentialsError, ConfigError (no project, no region), GcpError; EngineError if no engine answers."""
        settings.check(project)
        account = enter(TABLE, settings, endpoints, region=settings.region, zone=settings.zone)
        return GkeCloud.of(Engine.connect(), account, project.app.name, settings)

    def place(self, cloud: GkeCloud) -> tuple[str, ...]:
        return cloud.account.place

    def login(self, cloud: GkeCloud) -> Login:
        """To the registry that the image is kept in."""
        return pushing.login(cloud)

    def push(self, project: Project, settings: GkeSettings) -> GarImage:
        app = project.app.name
        repository = ReadableRepository(settings.repository or app, app, settings.keep_images, settings)
        return GarImage(BuiltImage.of(project), repository)

    def goal(self, project: Project, settings: GkeSettings) -> KubernetesEndpoint:
        """The image is made and pushed while the cluster comes up. Raises ConfigError."""
        app = project.app.name
        cluster = SharedCluster(settings.cluster) if settings.cluster else GkeCluster(app, settings)
        settings.check(project)
        return in_cluster(project, settings.fitting(project), Owner(app, TARGET), cluster, self.push(project, settings))

    def manifests(
        self, cloud: GkeCloud, project: Project, settings: GkeSettings, image: str, *, secrets: bool
    ) -> Manifests:
        """`mldeploy.providers.manifests.HasManifests`. The nodes pull with an account of their own."""
        return manifests(cloud.owner, project, settings.fitting(project), image, access=None, secrets=secrets)

    def policy(self, cloud: GkeCloud) -> Mapping[str, object]:
        """`mldeploy.providers.policies.HasPolicy`: a custom role."""
        return policy(DEPLOYING)

    def costs(self, cloud: GkeCloud, project: Project, settings: GkeSettings) -> Estimate:
        """`mldeploy.providers.costs.HasCosts`."""
        return estimate(cloud.account.location, project, settings)

    def inventory(self, cloud: GkeCloud, project: Project) -> Collection[Resource]:
        """What is in the clusters first, then the app's own clusters, then its repositories."""
        return (*_in_clusters(cloud), *gar.inventory(cloud))

    def checks(self, project: Project, settings: GkeSettings) -> Sequence[Check]:
        """`mldeploy.providers.checks.Diagnosable`: credentials, project, APIs, repository, cluster, quotas."""
        return (Check(self.name, lambda: self.look(project, settings, PUBLIC), checks.SECONDS),)

    def look(self, project: Project, settings: GkeSettings, endpoints: Endpoints) -> Iterator[Finding]:
        """What the doctor is told. Reads only."""
        connect = partial(self.connect, project, settings, endpoints)
        own = partial(cluster_checks.cluster, settings=settings)
        return checks.target(connect, CLUSTER_APIS, named(DEPLOYING.values()), own)

    def service(self, cloud: GkeCloud, project: Project, settings: GkeSettings) -> GkeService:
        return service(cloud, project, settings)


def _in_clusters(cloud: GkeCloud) -> Iterator[Resource]:
    """By label, and what is in the one that is used. The list may be a moment old: each is looked at again."""
    here = [each for each in listed(cloud) if each.location == cloud.account.location]
    ours = [each.name for each in here if not each.missing(cloud.app)]
    for name in dict.fromkeys((*ours, *(each.name for each in here if each.name == cloud.cluster))):
        kube = cloud.kube((name,))
        if kube is not None:
            yield from in_cluster_inventory(kube, cloud.owner, (name,), cloud.space)
        if name in ours:
            yield Resource(GkeCluster.kind, Key(name))


provider: Provider[GkeCloud, GkeSettings] = GkeProvider()
