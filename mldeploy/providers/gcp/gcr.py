"""The target `gcr`: the names of Google's former Container Registry, which Artifact Registry serves today."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.step import Key, Resource, Step
from mldeploy.image.steps import BaseImage, EngineImage
from mldeploy.providers.base import Provider
from mldeploy.providers.gcp.account import Account, enter
from mldeploy.providers.gcp.cloud import GcpCloud
from mldeploy.providers.gcp.pushing import ArtifactRegistry
from mldeploy.providers.gcp.repositories import describe
from mldeploy.providers.gcp.repository import GCR, GarImage, GcrRepository, is_gcr_ours
from mldeploy.providers.gcp.settings import GcrSettings

TABLE = f"target.{GCR}"
KINDS: Mapping[str, type[Step[GcpCloud, object]]] = MappingProxyType(
    {step.kind: step for step in (BaseImage, EngineImage, GcrRepository, GarImage)}
)


class GcrProvider(ArtifactRegistry[GcrSettings]):
    """`mldeploy.providers.base.Provider` for the old names `gcr.io/PROJECT/APP`."""

    name = GCR
    settings: type[TargetSettings] = GcrSettings
    kinds = KINDS

    def account(self, settings: GcrSettings, endpoints: Endpoints) -> Account:
        """Its location is the continent that the old name stands for."""
        return replace(enter(TABLE, settings, endpoints, region=settings.location), location=settings.location)

    def repository(self, project: Project, settings: GcrSettings) -> GcrRepository:
        """The Google project's own, in which each app has an image."""
        return GcrRepository(settings.repository, project.app.name, settings.keep_images)

    def inventory(self, cloud: GcpCloud, project: Project) -> Collection[Resource]:
        """The repository, if it is there for this app alone: then it goes with it."""
        found = describe(cloud, cloud.repository)
        ours = found is not None and is_gcr_ours(cloud, found, cloud.repository)
        return [Resource(GcrRepository.kind, Key(cloud.repository))] if ours else []


provider: Provider[GcpCloud, GcrSettings] = GcrProvider()
