"""The local target: the Docker Engine of this machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.step import Key, Resource, Step
from mldeploy.image import catalogue
from mldeploy.image.check import step as check
from mldeploy.image.check.step import CheckedImage
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.engine import Engine
from mldeploy.image.running.containers import Containers
from mldeploy.image.steps import BaseImage, BuiltImage
from mldeploy.providers.base import Login
from mldeploy.providers.checks import Check
from mldeploy.providers.errors import without_registry
from mldeploy.providers.local.service import LocalService
from mldeploy.providers.local.settings import LocalSettings
from mldeploy.providers.local.steps import LocalEndpoint, RunningContainer

KINDS: Mapping[str, type[Step[EngineCloud, object]]] = MappingProxyType(
    {step.kind: step for step in (BaseImage, BuiltImage, CheckedImage, RunningContainer, LocalEndpoint)}
)


class LocalProvider:
    """`mldeploy.providers.base.Provider` for this machine."""

    name = "local"
    settings: type[TargetSettings] = LocalSettings
    kinds: Mapping[str, type[Step[EngineCloud, object]]] = KINDS

    def connect(self, project: Project, settings: LocalSettings, endpoints: Endpoints) -> EngineCloud:
        """Raises EngineError if no engine answers."""
        return EngineCloud(Engine.connect())

    def place(self, cloud: EngineCloud) -> tuple[str, ...]:
        return cloud.place

    def login(self, cloud: EngineCloud) -> Login:
        raise without_registry(self.name)

    def push(self, project: Project, settings: LocalSettings) -> None:
        """The engine runs what it has built."""

    def goal(self, project: Project, settings: LocalSettings) -> LocalEndpoint:
        return LocalEndpoint(RunningContainer(BuiltImage.of(project), settings))

    def inventory(self, cloud: EngineCloud, project: Project) -> Collection[Resource]:
        """Containers and images by label. Nothing else is made on the engine: neither networks nor volumes."""
        name = project.app.name
        there = (
            (RunningContainer.kind, bool(Containers(cloud.engine, name).all())),
            (CheckedImage.kind, check.leftovers(cloud.engine, name)),
            (BuiltImage.kind, catalogue.leftovers(cloud.engine, name)),
        )
        return [Resource(kind, Key(name)) for kind, found in there if found]

    def service(self, cloud: EngineCloud, project: Project, settings: LocalSettings) -> LocalService:
        return LocalService(Containers(cloud.engine, project.app.name), project.app.health)

    def checks(self, project: Project, settings: LocalSettings) -> Sequence[Check]:
        """`mldeploy.providers.checks.Diagnosable`: resources, the container, its port, what a crash left."""
        from mldeploy.providers.local.checks import look  # noqa: PLC0415 - a deployment does not wait for it

        return (Check(self.name, lambda: look(lambda: self.connect(project, settings, PUBLIC), project, settings)),)
