"""The local target: the Docker Engine of this machine."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mldeploy.app.containers import Containers, list_deployed
from mldeploy.check import step as check
from mldeploy.check.step import CheckedImage
from mldeploy.config.access_keys import KEY
from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.graph import derive_kinds
from mldeploy.core.step import Key, Kinds, Resource
from mldeploy.image import catalogue
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BuiltImage
from mldeploy.providers.capabilities import DoctorCheck, ListedApp
from mldeploy.providers.local.candidate import CandidateContainer
from mldeploy.providers.local.ports import check_port_for_app
from mldeploy.providers.local.proxy import ProxyContainers
from mldeploy.providers.local.secrets import LocalSecret, LocalSecretStore
from mldeploy.providers.local.service import LocalService
from mldeploy.providers.local.settings import LocalSettings
from mldeploy.providers.local.steps import LocalEndpoint, RunningContainer
from mldeploy.providers.local.traffic import LocalTraffic

KINDS: Kinds[EngineCloud] = derive_kinds(LocalEndpoint, CheckedImage, LocalSecret)


class LocalProvider:
    """`mldeploy.providers.base.Provider` for this machine."""

    name = "local"
    settings: type[TargetSettings] = LocalSettings
    kinds: Kinds[EngineCloud] = KINDS

    def connect(self, project: Project, settings: LocalSettings, endpoints: Endpoints) -> EngineCloud:
        """Raises EngineError if no engine answers."""
        return EngineCloud(Engine.connect())

    def place(self, cloud: EngineCloud) -> tuple[str, ...]:
        return cloud.place

    def goal(self, project: Project, settings: LocalSettings) -> LocalEndpoint:
        return LocalEndpoint(RunningContainer(BuiltImage.of(project), settings))

    def precheck(self, cloud: EngineCloud, project: Project, settings: LocalSettings) -> None:
        """`mldeploy.providers.capabilities.CanPrecheck`: raises PortTakenError, AddressError, EngineError."""
        port = project.app.port if settings.port is None else settings.port
        if port and not cloud.machine:
            check_port_for_app(cloud.engine, settings.host, port, project.app.name)

    def inventory(self, cloud: EngineCloud, project: Project) -> Collection[Resource]:
        """Return the app's containers, network and images, by label, and its secrets. mldeploy creates no volumes."""
        name = project.app.name
        proxies = ProxyContainers.of(cloud.engine, name)
        runs = Containers(cloud.engine, name).all() or proxies.containers.all() or proxies.network.exists
        kinds = (
            (RunningContainer.kind, bool(runs)),
            (CheckedImage.kind, check.has_leftovers(cloud.engine, name)),
            (BuiltImage.kind, catalogue.has_leftovers(cloud.engine, name)),
        )
        store = LocalSecretStore(name)
        secrets = (resource for each in store.list() for resource in store.resources(each.name))
        return [*(Resource(kind, Key(name)) for kind, exists in kinds if exists), *secrets]

    def service(self, cloud: EngineCloud, project: Project, settings: LocalSettings) -> LocalService:
        return LocalService(cloud.engine, project, settings)

    def apps(self, cloud: EngineCloud, settings: LocalSettings) -> Sequence[ListedApp[LocalSettings]]:
        """`mldeploy.providers.capabilities.ListsApps`: by the labels of the containers."""
        return [ListedApp(name, settings) for name in list_deployed(cloud.engine)]

    def candidate(self, project: Project, settings: LocalSettings) -> CandidateContainer:
        """`mldeploy.providers.traffic.CanSplitTraffic`."""
        return CandidateContainer(BuiltImage.of(project), settings)

    def traffic(self, cloud: EngineCloud, project: Project, settings: LocalSettings) -> LocalTraffic:
        """`mldeploy.providers.traffic.CanSplitTraffic`."""
        return LocalTraffic(cloud.engine, project, settings)

    def secrets(self, cloud: EngineCloud, project: Project, settings: LocalSettings) -> LocalSecretStore:
        """`mldeploy.providers.secret_store.HasSecretStore`."""
        return LocalSecretStore(project.app.name)

    def access_modes(self, project: Project) -> Collection[str]:
        """`mldeploy.providers.access.HasAccessModes`: the proxy asks for the keys of an app with its own server."""
        return (KEY,)

    def checks(self, project: Project, settings: LocalSettings) -> Sequence[DoctorCheck]:
        """`mldeploy.providers.capabilities.Diagnosable`: resources, the container, its port, leftovers."""
        from mldeploy.providers.local.checks import check_target  # noqa: PLC0415 - not needed by deployments

        return (DoctorCheck(self.name, lambda: check_target(project, settings)),)
