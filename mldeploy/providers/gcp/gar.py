"""The target `gar`: Google's Artifact Registry. An image is brought there; nothing runs there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.step import Key, Resource, Step
from mldeploy.image.steps import BaseImage, EngineImage
from mldeploy.providers.base import Provider
from mldeploy.providers.gcp.account import Account, enter
from mldeploy.providers.gcp.cloud import GcpCloud
from mldeploy.providers.gcp.labels import foreign
from mldeploy.providers.gcp.pushing import ArtifactRegistry
from mldeploy.providers.gcp.repositories import listed
from mldeploy.providers.gcp.repository import TARGET, GarImage, GarRepository
from mldeploy.providers.gcp.settings import GarSettings

TABLE = f"target.{TARGET}"
KINDS: Mapping[str, type[Step[GcpCloud, object]]] = MappingProxyType(
    {step.kind: step for step in (BaseImage, EngineImage, GarRepository, GarImage)}
)


class GarProvider(ArtifactRegistry[GarSettings]):
    """`mldeploy.providers.base.Provider` for Google's Artifact Registry."""

    name = TARGET
    settings: type[TargetSettings] = GarSettings
    kinds = KINDS

    def account(self, settings: GarSettings, endpoints: Endpoints) -> Account:
        return enter(TABLE, settings, endpoints, region=settings.region)

    def repository(self, project: Project, settings: GarSettings) -> GarRepository:
        """The app's own."""
        return GarRepository(settings.repository or project.app.name, project.app.name, settings.keep_images)

    def inventory(self, cloud: GcpCloud, project: Project) -> Collection[Resource]:
        return inventory(cloud)


def inventory(cloud: GcpCloud) -> Collection[Resource]:
    """The app's repositories: the one that the settings name, and any other that bears our labels."""
    ours = [each for each in listed(cloud) if not foreign(each.labels, cloud.app, TARGET)]
    return [Resource(GarRepository.kind, Key(each.name.rpartition("/")[2])) for each in ours]


provider: Provider[GcpCloud, GarSettings] = GarProvider()
