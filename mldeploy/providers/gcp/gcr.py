"""The target `gcr`: the names of Google's former Container Registry, which Artifact Registry serves today."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.errors import MldeployError
from mldeploy.core.step import Key, Resource, Step
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BaseImage, BuiltImage, EngineImage
from mldeploy.providers.base import Login, Provider
from mldeploy.providers.checks import Check, Finding, error
from mldeploy.providers.gcp import checks
from mldeploy.providers.gcp.account import enter
from mldeploy.providers.gcp.apis import REGISTRY_APIS
from mldeploy.providers.gcp.cloud import GcpCloud, artifacts
from mldeploy.providers.gcp.gar import login
from mldeploy.providers.gcp.permissions import PUSHING, named, policy
from mldeploy.providers.gcp.repositories import describe
from mldeploy.providers.gcp.repository import GCR, GarImage, GcrRepository, is_gcr_ours
from mldeploy.providers.gcp.settings import GcrSettings
from mldeploy.providers.silent import NoService

TABLE = f"target.{GCR}"
KINDS: Mapping[str, type[Step[GcpCloud, object]]] = MappingProxyType(
    {step.kind: step for step in (BaseImage, EngineImage, GcrRepository, GarImage)}
)


class GcrProvider:
    """`mldeploy.providers.base.Provider` for the old names `gcr.io/PROJECT/APP`."""

    name = GCR
    settings: type[TargetSettings] = GcrSettings
    kinds: Mapping[str, type[Step[GcpCloud, object]]] = KINDS

    def connect(self, project: Project, settings: GcrSettings, endpoints: Endpoints) -> GcpCloud:
        """Raises CredentialsError, ConfigError (no project), GcpError; EngineError if no engine answers."""
        entered = enter(TABLE, settings, endpoints, region=settings.location)
        account = replace(entered, location=settings.location)
        return GcpCloud(Engine.connect(), account, project.app.name, settings.repository, GCR, artifacts(account))

    def place(self, cloud: GcpCloud) -> tuple[str, ...]:
        return cloud.account.place

    def login(self, cloud: GcpCloud) -> Login:
        return login(cloud)

    def push(self, project: Project, settings: GcrSettings) -> GarImage:
        app = project.app.name
        return GarImage(BuiltImage.of(project), GcrRepository(settings.repository, app, settings.keep_images))

    def goal(self, project: Project, settings: GcrSettings) -> None:
        """A registry runs nothing."""

    def policy(self, cloud: GcpCloud) -> Mapping[str, object]:
        """`mldeploy.providers.policies.HasPolicy`: a custom role."""
        return policy(PUSHING)

    def inventory(self, cloud: GcpCloud, project: Project) -> Collection[Resource]:
        """The repository, if it is there for this app alone: then it goes with it."""
        found = describe(cloud, cloud.repository)
        ours = found is not None and is_gcr_ours(cloud, found, cloud.repository)
        return [Resource(GcrRepository.kind, Key(cloud.repository))] if ours else []

    def checks(self, project: Project, settings: GcrSettings) -> Sequence[Check]:
        """`mldeploy.providers.checks.Diagnosable`: credentials, the project, its APIs, the repository."""
        return (Check(self.name, lambda: self.look(project, settings, PUBLIC), checks.SECONDS),)

    def look(self, project: Project, settings: GcrSettings, endpoints: Endpoints) -> Iterator[Finding]:
        """What the doctor is told. Reads only."""
        try:
            cloud = self.connect(project, settings, endpoints)
        except MldeployError as problem:
            yield error("credentials", problem.what, problem.todo)
            return
        yield from checks.account(cloud.account, REGISTRY_APIS)
        yield from checks.permissions(cloud.account, named(PUSHING.values()))
        yield from checks.repository(cloud)

    def service(self, cloud: GcpCloud, project: Project, settings: GcrSettings) -> NoService:
        return NoService(self.name)


provider: Provider[GcpCloud, GcrSettings] = GcrProvider()
