"""The target `acr`: the registry of Azure. An image is brought there; nothing runs there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.step import Resource, Step
from mldeploy.image.engine import Engine
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.steps import BaseImage, BuiltImage, EngineImage
from mldeploy.providers.azure.account import enter
from mldeploy.providers.azure.checks import SECONDS, look
from mldeploy.providers.azure.cloud import AzureCloud
from mldeploy.providers.azure.costs import registry_costs
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.group import TARGET, ResourceGroup
from mldeploy.providers.azure.inventory import inventory
from mldeploy.providers.azure.permissions import role_for_registry
from mldeploy.providers.azure.registries import access
from mldeploy.providers.azure.registry import AcrRepository, ContainerRegistry, at
from mldeploy.providers.azure.resource_provider import REGISTRIES, ResourceProvider
from mldeploy.providers.azure.settings import AcrSettings, AzureSettings
from mldeploy.providers.azure.tags import name
from mldeploy.providers.base import Login, Provider
from mldeploy.providers.checks import Check
from mldeploy.providers.costs import Estimate
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.silent import NoService

KINDS: Mapping[str, type[Step[AzureCloud, object]]] = MappingProxyType(
    {
        step.kind: step
        for step in (
            BaseImage,
            EngineImage,
            ResourceProvider,
            ResourceGroup,
            ContainerRegistry,
            AcrRepository,
            PushedImage,
        )
    }
)


class AcrProvider:
    """`mldeploy.providers.base.Provider` for Azure Container Registry."""

    name = TARGET
    settings: type[TargetSettings] = AcrSettings
    kinds: Mapping[str, type[Step[AzureCloud, object]]] = KINDS

    def connect(self, project: Project, settings: AcrSettings, endpoints: Endpoints) -> AzureCloud:
        """Raises CredentialsError, AzureError; EngineError if no engine answers."""
        account = enter(f"target.{self.name}", settings, endpoints)
        return AzureCloud.of(Engine.connect(), account, project, settings)

    def place(self, cloud: AzureCloud) -> tuple[str, ...]:
        return cloud.place

    def login(self, cloud: AzureCloud) -> Login:
        return login(cloud)

    def push(self, project: Project, settings: AcrSettings) -> PushedImage:
        return pushed_image(project, settings)

    def goal(self, project: Project, settings: AcrSettings) -> None:
        """A registry runs nothing."""

    def inventory(self, cloud: AzureCloud, project: Project) -> Collection[Resource]:
        return inventory(cloud, KINDS)

    def policy(self, cloud: AzureCloud) -> Mapping[str, object]:
        """`mldeploy.providers.policies.HasPolicy`: a custom role."""
        return role_for_registry(cloud)

    def costs(self, cloud: AzureCloud, project: Project, settings: AcrSettings) -> Estimate:
        """`mldeploy.providers.costs.HasCosts`."""
        return registry_costs(cloud.account.region, settings)

    def checks(self, project: Project, settings: AcrSettings) -> Sequence[Check]:
        """`mldeploy.providers.checks.Diagnosable`: credentials, the subscription, the registry."""
        return (Check(self.name, lambda: look(self.name, project, settings, PUBLIC), SECONDS),)

    def service(self, cloud: AzureCloud, project: Project, settings: AcrSettings) -> NoService:
        return NoService(self.name)


def login(cloud: AzureCloud) -> Login:
    """To the app's registry, which takes more than being known to Azure. Raises AbsentError if there is none yet."""
    with azure_errors(f"registry {cloud.registry}"):
        registry = at(cloud, cloud.registry_key)
    if registry is None:
        what = f"is not there yet; the account is {cloud.account.user}, which Azure knows"
        raise AbsentError(f"registry {cloud.registry}", what, "`mldeploy push` makes it.")
    return Login(cloud.account.user, cloud.place, access(cloud, registry, cloud.group))


def pushed_image(project: Project, settings: AzureSettings) -> PushedImage:
    """The app's image in its repository: what every target on Azure runs."""
    return PushedImage(BuiltImage.of(project), repository(project, settings))


def repository(project: Project, settings: AzureSettings) -> AcrRepository:
    app = project.app.name
    group = ResourceGroup(settings.resource_group or name(app))
    provider = ResourceProvider(REGISTRIES)
    registry = ContainerRegistry(app, settings.registry, settings.registry_sku, settings.by_admin, provider, group)
    return AcrRepository(settings.repository or app, registry)


provider: Provider[AzureCloud, AcrSettings] = AcrProvider()
