"""The target `gar`: push images to Google Artifact Registry."""

from __future__ import annotations

from collections.abc import Collection

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.graph import derive_kinds
from mldeploy.core.step import Key, Kinds, Resource
from mldeploy.image.steps import EngineImage
from mldeploy.providers.gcp.account import GcpProject, authenticate
from mldeploy.providers.gcp.cloud import GcpCloud
from mldeploy.providers.gcp.registry_provider import ArtifactRegistryProvider
from mldeploy.providers.gcp.repositories import list_repositories
from mldeploy.providers.gcp.repository import TARGET, GarImage, GarRepository
from mldeploy.providers.gcp.settings import GarSettings, missing_labels

TABLE = f"target.{TARGET}"
KINDS: Kinds[GcpCloud] = derive_kinds(GarImage, GarRepository, EngineImage)


class GarProvider(ArtifactRegistryProvider[GarSettings]):
    """`mldeploy.providers.base.Provider` for Google's Artifact Registry."""

    name = TARGET
    settings: type[TargetSettings] = GarSettings
    kinds = KINDS

    def account(self, settings: GarSettings, endpoints: Endpoints) -> GcpProject:
        return authenticate(TABLE, settings, endpoints, region=settings.region)

    def repository(self, project: Project, settings: GarSettings) -> GarRepository:
        """The app's own repository."""
        return GarRepository(settings.repository or project.app.name, project.app.name, settings.keep_images)

    def inventory(self, cloud: GcpCloud, project: Project) -> Collection[Resource]:
        return list_owned_repositories(cloud)


def list_owned_repositories(cloud: GcpCloud) -> Collection[Resource]:
    """The app's repositories, by label."""
    ours = [each for each in list_repositories(cloud) if not missing_labels(each.labels, cloud.app, TARGET)]
    return [Resource(GarRepository.kind, Key(each.name.rpartition("/")[2])) for each in ours]


provider = GarProvider()
