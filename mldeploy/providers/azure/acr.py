"""The target `acr`: push images to Azure Container Registry."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.graph import derive_kinds
from mldeploy.core.step import Kinds, Resource
from mldeploy.image.engine import Engine
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.steps import BuiltImage, EngineImage
from mldeploy.providers.azure.account import authenticate
from mldeploy.providers.azure.checks import SECONDS, check_account
from mldeploy.providers.azure.cloud import AzureCloud
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.group import REGISTRIES, TARGET, ResourceGroup, ResourceProvider
from mldeploy.providers.azure.inventory import list_resources
from mldeploy.providers.azure.permissions import role_for_registry
from mldeploy.providers.azure.registry import AcrRepository, ContainerRegistry, get_registry
from mldeploy.providers.azure.registry_client import registry_access
from mldeploy.providers.azure.settings import AcrSettings, AzureSettings
from mldeploy.providers.azure.tags import resource_name
from mldeploy.providers.azure.webapp.plan import estimate_registry
from mldeploy.providers.base import Login
from mldeploy.providers.capabilities import DoctorCheck, Estimate
from mldeploy.providers.errors import AbsentError

KINDS: Kinds[AzureCloud] = derive_kinds(PushedImage, AcrRepository, EngineImage)


class AcrProvider:
    """`mldeploy.providers.base.Provider` for Azure Container Registry."""

    name = TARGET
    settings: type[TargetSettings] = AcrSettings
    kinds: Kinds[AzureCloud] = KINDS

    def connect(self, project: Project, settings: AcrSettings, endpoints: Endpoints) -> AzureCloud:
        """Raises CredentialsError, AzureError; EngineError if no engine answers."""
        account = authenticate(f"target.{self.name}", settings, endpoints)
        return AzureCloud.of(Engine.connect(), account, project, settings)

    def place(self, cloud: AzureCloud) -> tuple[str, ...]:
        return cloud.scope

    def login(self, cloud: AzureCloud) -> Login:
        return registry_login(cloud)

    def push(self, project: Project, settings: AcrSettings) -> PushedImage:
        return pushed_image(project, settings)

    def inventory(self, cloud: AzureCloud, project: Project) -> Collection[Resource]:
        return list_resources(cloud, KINDS)

    def policy(self, cloud: AzureCloud) -> Mapping[str, object]:
        """`mldeploy.providers.capabilities.HasPolicy`: a custom role."""
        return role_for_registry(cloud)

    def costs(self, cloud: AzureCloud, project: Project, settings: AcrSettings) -> Estimate:
        """`mldeploy.providers.capabilities.HasCosts`."""
        return estimate_registry(cloud.account.region, settings)

    def checks(self, project: Project, settings: AcrSettings) -> Sequence[DoctorCheck]:
        """`mldeploy.providers.capabilities.Diagnosable`: credentials, the subscription, the registry."""
        return (DoctorCheck(self.name, lambda: check_account(self.name, project, settings, PUBLIC), SECONDS),)


def registry_login(cloud: AzureCloud) -> Login:
    """Credentials for the app's registry. Raises AbsentError if the registry does not exist."""
    with azure_errors(f"registry {cloud.registry}"):
        registry = get_registry(cloud, cloud.registry_key)
    if registry is None:
        what = f"does not exist yet; the Azure account {cloud.account.user} is valid"
        raise AbsentError(f"registry {cloud.registry}", what, "Create it with `mldeploy push`.")
    return Login(cloud.account.user, cloud.scope, registry_access(cloud, registry, cloud.group))


def pushed_image(project: Project, settings: AzureSettings) -> PushedImage:
    """The push of the app's image, shared by all targets on Azure."""
    return PushedImage(BuiltImage.of(project), repository(project, settings))


def repository(project: Project, settings: AzureSettings) -> AcrRepository:
    app = project.app.name
    group = ResourceGroup(settings.resource_group or resource_name(app))
    provider = ResourceProvider(REGISTRIES)
    registry = ContainerRegistry(app, settings.registry, settings.registry_sku, settings.by_admin, provider, group)
    return AcrRepository(settings.repository or app, registry)


provider = AcrProvider()
