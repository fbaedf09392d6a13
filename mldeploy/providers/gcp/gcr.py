"""The target `gcr`: the `gcr.io` names of Google's former Container Registry, served by Artifact Registry."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.graph import derive_kinds
from mldeploy.core.step import Key, Kinds, Resource
from mldeploy.image.steps import EngineImage
from mldeploy.providers.gcp.account import GcpProject, authenticate
from mldeploy.providers.gcp.cloud import GcpCloud
from mldeploy.providers.gcp.registry_provider import ArtifactRegistryProvider
from mldeploy.providers.gcp.repositories import describe_repository
from mldeploy.providers.gcp.repository import GCR, GarImage, GcrRepository, owns_gcr_repository
from mldeploy.providers.gcp.settings import GcrSettings

TABLE = f"target.{GCR}"
KINDS: Kinds[GcpCloud] = derive_kinds(GarImage, GcrRepository, EngineImage)


class GcrProvider(ArtifactRegistryProvider[GcrSettings]):
    """`mldeploy.providers.base.Provider` for the names `gcr.io/PROJECT/APP`."""

    name = GCR
    settings: type[TargetSettings] = GcrSettings
    kinds = KINDS

    def account(self, settings: GcrSettings, endpoints: Endpoints) -> GcpProject:
        """The project, with the multi-region of the `gcr.io` name as its location."""
        return replace(authenticate(TABLE, settings, endpoints, region=settings.location), location=settings.location)

    def repository(self, project: Project, settings: GcrSettings) -> GcrRepository:
        """The project's repository, which all apps share."""
        return GcrRepository(settings.repository, project.app.name, settings.keep_images)

    def inventory(self, cloud: GcpCloud, project: Project) -> Collection[Resource]:
        """The repository, if only this app uses it."""
        existing = describe_repository(cloud, cloud.repository)
        ours = existing is not None and owns_gcr_repository(cloud, existing, cloud.repository)
        return [Resource(GcrRepository.kind, Key(cloud.repository))] if ours else []


provider = GcrProvider()
