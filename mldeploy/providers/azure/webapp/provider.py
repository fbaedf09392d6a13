"""The target `webapp`: Azure App Service."""

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
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.group import IDENTITIES, INSIGHTS, SITES, ResourceProvider
from mldeploy.providers.azure.identity import ManagedIdentity, PullRole
from mldeploy.providers.azure.inventory import REGISTRIES, ListedKind
from mldeploy.providers.azure.inventory import list_resources as tagged
from mldeploy.providers.azure.keyvault.secrets import KeyVaultStore, VaultSecret
from mldeploy.providers.azure.keyvault.vault import VAULT_TYPE, AppVault, vault_exists
from mldeploy.providers.azure.permissions import role_for_webapp
from mldeploy.providers.azure.registry import AcrRepository
from mldeploy.providers.azure.tags import WEBAPP, derive_site_name, derive_vault_name, resource_name
from mldeploy.providers.azure.webapp import autoscale, plan, sites
from mldeploy.providers.azure.webapp.apps import list_apps
from mldeploy.providers.azure.webapp.autoscale import Autoscale
from mldeploy.providers.azure.webapp.canary import CandidateSlot, SlotTraffic, require_slots
from mldeploy.providers.azure.webapp.checks import check_webapp
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.endpoint import WebappEndpoint
from mldeploy.providers.azure.webapp.operations import WebappService
from mldeploy.providers.azure.webapp.plan import AppServicePlan, estimate_webapp
from mldeploy.providers.azure.webapp.settings import TABLE, WebappSettings
from mldeploy.providers.azure.webapp.site import WebApp
from mldeploy.providers.base import Login
from mldeploy.providers.capabilities import DoctorCheck, Estimate, ListedApp
from mldeploy.providers.gpu import refuse_gpu

KINDS: Kinds[WebappCloud] = derive_kinds(WebappEndpoint, AcrRepository, EngineImage, VaultSecret)


class WebappProvider:
    """`mldeploy.providers.base.Provider` for Web Apps for Containers."""

    name = WEBAPP
    settings: type[TargetSettings] = WebappSettings
    kinds: Kinds[WebappCloud] = KINDS

    def connect(self, project: Project, settings: WebappSettings, endpoints: Endpoints) -> WebappCloud:
        """Raises CredentialsError, AzureError; EngineError if no engine answers."""
        return WebappCloud.for_site(Engine.connect(), authenticate(TABLE, settings, endpoints), project, settings)

    def place(self, cloud: WebappCloud) -> tuple[str, ...]:
        return cloud.scope

    def login(self, cloud: WebappCloud) -> Login:
        """Credentials for the registry of the image."""
        return registry_login(cloud)

    def push(self, project: Project, settings: WebappSettings) -> PushedImage:
        return pushed_image(project, settings)

    def goal(self, project: Project, settings: WebappSettings) -> WebappEndpoint:
        """Raises ConfigError if keys contradict each other."""
        return goal(project, settings)

    def candidate(self, project: Project, settings: WebappSettings) -> CandidateSlot:
        """`mldeploy.providers.traffic.CanSplitTraffic`. Raises ConfigError for a size without slots."""
        require_slots(settings)
        app = goal(project, settings).app
        return CandidateSlot(app.project, app.settings, app.image, app.registry, app.plan, app.identity, app.role)

    def traffic(self, cloud: WebappCloud, project: Project, settings: WebappSettings) -> SlotTraffic:
        """`mldeploy.providers.traffic.CanSplitTraffic`."""
        return SlotTraffic(cloud, project, settings)

    def policy(self, cloud: WebappCloud) -> Mapping[str, object]:
        """`mldeploy.providers.capabilities.HasPolicy`: custom roles."""
        return role_for_webapp(cloud)

    def costs(self, cloud: WebappCloud, project: Project, settings: WebappSettings) -> Estimate:
        """`mldeploy.providers.capabilities.HasCosts`."""
        return estimate_webapp(cloud.account.region, settings)

    def checks(self, project: Project, settings: WebappSettings) -> Sequence[DoctorCheck]:
        """`mldeploy.providers.capabilities.Diagnosable`: credentials, registry, providers, quota, permissions."""
        return (DoctorCheck(self.name, lambda: check_webapp(self.name, project, settings, PUBLIC), SECONDS),)

    def inventory(self, cloud: WebappCloud, project: Project) -> Collection[Resource]:
        return list_webapp_resources(cloud, KINDS)

    def apps(self, cloud: WebappCloud, settings: WebappSettings) -> Sequence[ListedApp[WebappSettings]]:
        """`mldeploy.providers.capabilities.ListsApps`: those of the subscription."""
        return tuple(list_apps(cloud, settings))

    def precheck(self, cloud: WebappCloud, project: Project, settings: WebappSettings) -> None:
        """`mldeploy.providers.capabilities.CanPrecheck`: raises ConfigError for an app that is built for a GPU."""
        refuse_gpu(project, self.name, "runs on App Service, which has no GPU")

    def secrets(self, cloud: WebappCloud, project: Project, settings: WebappSettings) -> KeyVaultStore:
        """`mldeploy.providers.secret_store.HasSecretStore`: a key vault of the app."""
        return KeyVaultStore(cloud)

    def service(self, cloud: WebappCloud, project: Project, settings: WebappSettings) -> WebappService:
        return WebappService(cloud, project, settings)


def goal(project: Project, settings: WebappSettings, image: PushedImage | None = None) -> WebappEndpoint:
    """The steps of a deployment. The image is built while the identity, its role and the plan are created.

    image: replaces the image that the project is built into.
    """
    settings.check()
    app, acr_repository = project.app.name, repository(project, settings)
    registry = acr_repository.registry
    group, web = registry.group, ResourceProvider(SITES)
    own_identity = ManagedIdentity(resource_name(app), ResourceProvider(IDENTITIES), group)
    plan = AppServicePlan(app, settings, web, group)
    site = WebApp(
        project,
        settings,
        image or PushedImage(BuiltImage.of(project), acr_repository),
        registry,
        plan,
        own_identity,
        None if settings.by_admin else PullRole(own_identity, registry),
    )
    scaling = Autoscale(app, settings.scaling, ResourceProvider(INSIGHTS), plan) if settings.scaling else None
    return WebappEndpoint(project, settings, site, scaling)


provider = WebappProvider()


TYPES: Mapping[str, ListedKind[WebappCloud]] = {
    **REGISTRIES,
    VAULT_TYPE: ListedKind(AppVault.kind, vault_exists, partial(derive_vault_name, WEBAPP)),
    "microsoft.insights/autoscalesettings": ListedKind(autoscale.Autoscale.kind, autoscale.setting_exists),
    "microsoft.web/sites": ListedKind(WebApp.kind, sites.site_exists, derive_site_name),
    "microsoft.web/serverfarms": ListedKind(plan.AppServicePlan.kind, plan.plan_exists),
    "microsoft.managedidentity/userassignedidentities": ListedKind(
        identity.ManagedIdentity.kind, identity.identity_exists
    ),
}


def list_webapp_resources(cloud: WebappCloud, kinds: Kinds[WebappCloud]) -> tuple[Resource, ...]:
    """All resources of the app. Raises if anything cannot be listed."""
    return (*tagged(cloud, kinds, TYPES), *_list_roles(cloud))


def _list_roles(cloud: WebappCloud) -> Iterator[Resource]:
    """The app's role assignment, which has no tags."""
    with azure_errors(cloud.app):
        if identity.role_exists(cloud, cloud.registry_key):
            yield Resource(identity.PullRole.kind, identity.role_key(cloud.registry_key))
