"""The target `containerapps`: Azure Container Apps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.graph import derive_kinds
from mldeploy.core.step import Kinds, Resource
from mldeploy.image.engine import Engine
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.steps import BuiltImage, EngineImage
from mldeploy.providers.azure import identity
from mldeploy.providers.azure.account import authenticate
from mldeploy.providers.azure.acr import pushed_image, registry_login, repository
from mldeploy.providers.azure.checks import SECONDS
from mldeploy.providers.azure.containerapps import apps, environment
from mldeploy.providers.azure.containerapps.app import ContainerAppStep
from mldeploy.providers.azure.containerapps.canary import CandidateRevision, RevisionTraffic
from mldeploy.providers.azure.containerapps.checks import check_containerapps
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.containerapps.costs import estimate_containerapps
from mldeploy.providers.azure.containerapps.domain import DomainBinding, ManagedCertificateStep
from mldeploy.providers.azure.containerapps.endpoint import ContainerAppsEndpoint
from mldeploy.providers.azure.containerapps.environment import AppsEnvironment
from mldeploy.providers.azure.containerapps.listing import list_apps
from mldeploy.providers.azure.containerapps.operations import ContainerAppsService
from mldeploy.providers.azure.containerapps.settings import TABLE, ContainerAppsSettings
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.group import CONTAINER_APPS, IDENTITIES, ResourceProvider
from mldeploy.providers.azure.identity import ManagedIdentity, PullRole
from mldeploy.providers.azure.inventory import REGISTRIES, ListedKind
from mldeploy.providers.azure.inventory import list_resources as tagged
from mldeploy.providers.azure.keyvault.secrets import KeyVaultStore, VaultSecret
from mldeploy.providers.azure.keyvault.vault import VAULT_TYPE, AppVault, vault_exists
from mldeploy.providers.azure.permissions import role_for_containerapps
from mldeploy.providers.azure.registry import AcrRepository
from mldeploy.providers.azure.tags import CONTAINERAPPS, derive_vault_name, resource_name
from mldeploy.providers.base import Login
from mldeploy.providers.capabilities import DoctorCheck, Estimate, ListedApp

KINDS: Kinds[ContainerAppsCloud] = derive_kinds(ContainerAppsEndpoint, AcrRepository, EngineImage, VaultSecret)


class ContainerAppsProvider:
    """`mldeploy.providers.base.Provider` for Azure Container Apps."""

    name = CONTAINERAPPS
    settings: type[TargetSettings] = ContainerAppsSettings
    kinds: Kinds[ContainerAppsCloud] = KINDS

    def connect(self, project: Project, settings: ContainerAppsSettings, endpoints: Endpoints) -> ContainerAppsCloud:
        """Raises CredentialsError, AzureError; EngineError if no engine answers."""
        account = authenticate(TABLE, settings, endpoints)
        return ContainerAppsCloud.for_app(Engine.connect(), account, project, settings)

    def place(self, cloud: ContainerAppsCloud) -> tuple[str, ...]:
        return cloud.scope

    def login(self, cloud: ContainerAppsCloud) -> Login:
        """Credentials for the registry of the image."""
        return registry_login(cloud)

    def push(self, project: Project, settings: ContainerAppsSettings) -> PushedImage:
        return pushed_image(project, settings)

    def goal(self, project: Project, settings: ContainerAppsSettings) -> ContainerAppsEndpoint:
        """Raises ConfigError if keys contradict each other."""
        return goal(project, settings)

    def candidate(self, project: Project, settings: ContainerAppsSettings) -> CandidateRevision:
        """`mldeploy.providers.traffic.CanSplitTraffic`. Raises ConfigError if keys contradict each other."""
        app = goal(project, settings).app
        return CandidateRevision(
            app.project, app.settings, app.image, app.registry, app.environment, app.identity, app.role
        )

    def traffic(self, cloud: ContainerAppsCloud, project: Project, settings: ContainerAppsSettings) -> RevisionTraffic:
        """`mldeploy.providers.traffic.CanSplitTraffic`."""
        return RevisionTraffic(cloud, project, settings)

    def policy(self, cloud: ContainerAppsCloud) -> Mapping[str, object]:
        """`mldeploy.providers.capabilities.HasPolicy`: custom roles."""
        return role_for_containerapps(cloud)

    def costs(self, cloud: ContainerAppsCloud, project: Project, settings: ContainerAppsSettings) -> Estimate:
        """`mldeploy.providers.capabilities.HasCosts`."""
        return estimate_containerapps(cloud.account.region, project, settings)

    def checks(self, project: Project, settings: ContainerAppsSettings) -> Sequence[DoctorCheck]:
        """`mldeploy.providers.capabilities.Diagnosable`: credentials, registry, providers, quota, permissions."""
        return (DoctorCheck(self.name, lambda: check_containerapps(self.name, project, settings, PUBLIC), SECONDS),)

    def inventory(self, cloud: ContainerAppsCloud, project: Project) -> Collection[Resource]:
        return (*tagged(cloud, KINDS, TYPES), *_list_roles(cloud))

    def secrets(self, cloud: ContainerAppsCloud, project: Project, settings: ContainerAppsSettings) -> KeyVaultStore:
        """`mldeploy.providers.secret_store.HasSecretStore`: a key vault of the app."""
        return KeyVaultStore(cloud)

    def apps(
        self, cloud: ContainerAppsCloud, settings: ContainerAppsSettings
    ) -> Sequence[ListedApp[ContainerAppsSettings]]:
        """`mldeploy.providers.capabilities.ListsApps`: those of the subscription."""
        return tuple(list_apps(cloud, settings))

    def service(
        self, cloud: ContainerAppsCloud, project: Project, settings: ContainerAppsSettings
    ) -> ContainerAppsService:
        return ContainerAppsService(cloud, project, settings)


def goal(project: Project, settings: ContainerAppsSettings, image: PushedImage | None = None) -> ContainerAppsEndpoint:
    """The steps of a deployment. The image is built while the environment, the identity and its role are created.

    image: replaces the image that the project is built into.
    """
    settings.check(project)
    app, acr_repository = project.app.name, repository(project, settings)
    registry = acr_repository.registry
    group = registry.group
    own_identity = ManagedIdentity(
        resource_name(f"{app}-{CONTAINERAPPS}"), ResourceProvider(IDENTITIES), group, settings.identity
    )
    apps_environment = AppsEnvironment(app, settings, ResourceProvider(CONTAINER_APPS), group)
    step = ContainerAppStep(
        project,
        settings,
        image or PushedImage(BuiltImage.of(project), acr_repository),
        registry,
        apps_environment,
        own_identity,
        None if settings.by_admin else PullRole(own_identity, registry),
    )
    binding = None
    if settings.domain:
        certificate = ManagedCertificateStep(settings.domain, settings, apps_environment, step)
        binding = DomainBinding(settings.domain, apps_environment, step, certificate)
    return ContainerAppsEndpoint(project, settings, step, binding)


provider = ContainerAppsProvider()


TYPES: Mapping[str, ListedKind[ContainerAppsCloud]] = {
    **REGISTRIES,
    VAULT_TYPE: ListedKind(AppVault.kind, vault_exists, partial(derive_vault_name, CONTAINERAPPS)),
    "microsoft.app/containerapps": ListedKind(ContainerAppStep.kind, apps.app_exists),
    "microsoft.app/managedenvironments": ListedKind(AppsEnvironment.kind, environment.environment_exists),
    "microsoft.managedidentity/userassignedidentities": ListedKind(ManagedIdentity.kind, identity.identity_exists),
}


def _list_roles(cloud: ContainerAppsCloud) -> Iterator[Resource]:
    """The app's role assignment, which has no tags."""
    with azure_errors(cloud.app):
        if identity.role_exists(cloud, cloud.registry_key):
            yield Resource(PullRole.kind, identity.role_key(cloud.registry_key))
