"""The target `webapp`."""

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
from mldeploy.providers.azure.acr import login, pushed_image, repository
from mldeploy.providers.azure.checks import SECONDS
from mldeploy.providers.azure.group import ResourceGroup
from mldeploy.providers.azure.registry import AcrRepository, ContainerRegistry
from mldeploy.providers.azure.resource_provider import IDENTITIES, INSIGHTS, SITES, ResourceProvider
from mldeploy.providers.azure.webapp.autoscale import Autoscale
from mldeploy.providers.azure.webapp.checks import look
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.endpoint import WebappEndpoint
from mldeploy.providers.azure.webapp.identity import ManagedIdentity
from mldeploy.providers.azure.webapp.inventory import inventory
from mldeploy.providers.azure.webapp.operate import WebappService
from mldeploy.providers.azure.webapp.permissions import role_for_site
from mldeploy.providers.azure.webapp.plan import AppServicePlan
from mldeploy.providers.azure.webapp.prices import estimate
from mldeploy.providers.azure.webapp.role import PullRole
from mldeploy.providers.azure.webapp.settings import TABLE, WebappSettings
from mldeploy.providers.azure.webapp.site import WebApp
from mldeploy.providers.azure.webapp.tags import TARGET
from mldeploy.providers.base import Login, Provider
from mldeploy.providers.checks import Check
from mldeploy.providers.costs import Estimate

KINDS: Mapping[str, type[Step[WebappCloud, object]]] = MappingProxyType(
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
            ManagedIdentity,
            PullRole,
            AppServicePlan,
            WebApp,
            Autoscale,
            WebappEndpoint,
        )
    }
)


class WebappProvider:
    """`mldeploy.providers.base.Provider` for Web Apps for Containers."""

    name = TARGET
    settings: type[TargetSettings] = WebappSettings
    kinds: Mapping[str, type[Step[WebappCloud, object]]] = KINDS

    def connect(self, project: Project, settings: WebappSettings, endpoints: Endpoints) -> WebappCloud:
        """Raises CredentialsError, AzureError; EngineError if no engine answers."""
        return WebappCloud.for_site(Engine.connect(), enter(TABLE, settings, endpoints), project, settings)

    def place(self, cloud: WebappCloud) -> tuple[str, ...]:
        return cloud.place

    def login(self, cloud: WebappCloud) -> Login:
        """To the registry that the image is kept in."""
        return login(cloud)

    def push(self, project: Project, settings: WebappSettings) -> PushedImage:
        return pushed_image(project, settings)

    def goal(self, project: Project, settings: WebappSettings) -> WebappEndpoint:
        """Raises ConfigError if keys contradict each other."""
        return goal(project, settings)

    def policy(self, cloud: WebappCloud) -> Mapping[str, object]:
        """`mldeploy.providers.policies.HasPolicy`: custom roles."""
        return role_for_site(cloud)

    def costs(self, cloud: WebappCloud, project: Project, settings: WebappSettings) -> Estimate:
        """`mldeploy.providers.costs.HasCosts`."""
        return estimate(cloud.account.region, settings)

    def checks(self, project: Project, settings: WebappSettings) -> Sequence[Check]:
        """`mldeploy.providers.checks.Diagnosable`: credentials, registry, providers, quota, permissions."""
        return (Check(self.name, lambda: look(self.name, project, settings, PUBLIC), SECONDS),)

    def inventory(self, cloud: WebappCloud, project: Project) -> Collection[Resource]:
        return inventory(cloud, KINDS)

    def service(self, cloud: WebappCloud, project: Project, settings: WebappSettings) -> WebappService:
        return WebappService(cloud, project, settings)


def goal(project: Project, settings: WebappSettings, image: PushedImage | None = None) -> WebappEndpoint:
    """The image is made and pushed while the identity, its role and the plan are prepared.

    image: instead of the one that the project is built into.
    """
    settings.check()
    app, place = project.app.name, repository(project, settings)
    registry = place.registry
    group, web = registry.group, ResourceProvider(SITES)
    identity = ManagedIdentity(app, ResourceProvider(IDENTITIES), group)
    plan = AppServicePlan(app, settings, web, group)
    site = WebApp(
        project,
        settings,
        image or PushedImage(BuiltImage.of(project), place),
        registry,
        plan,
        identity,
        None if settings.by_admin else PullRole(identity, registry),
    )
    scaling = Autoscale(app, settings.scaling, ResourceProvider(INSIGHTS), plan) if settings.scaling else None
    return WebappEndpoint(project, settings, site, scaling)


provider: Provider[WebappCloud, WebappSettings] = WebappProvider()
