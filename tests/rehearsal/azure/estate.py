"""What a web app needs in a subscription, made as a provider makes it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters
from azure.mgmt.containerregistry.models import Registry, RegistryProperties, Sku
from azure.mgmt.web.models import (
    AppServicePlan,
    AppServicePlanProperties,
    ManagedServiceIdentity,
    NameValuePair,
    Site,
    SiteConfig,
    SiteProperties,
    SkuDescription,
    UserAssignedIdentity,
)

from mldeploy.image.engine import Engine
from tests.rehearsal.account import BASE, eventually
from tests.rehearsal.azure.clients import Clients

GROUP, REGISTRY, PLAN, SITE, IDENTITY = "shop", "shopregistry", "shop-plan", "shop-app", "shop-identity"
REGION = "westeurope"
PORT = 8080
PACE = 0.5
"""Seconds that a long-running operation takes at least in the tests of its duration."""
SERVE = f"exec python3 -u -m http.server {PORT}"
USER = "00000000-0000-0000-0000-000000000000"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
NAMESPACES = ("Microsoft.ContainerRegistry", "Microsoft.Web", "Microsoft.ManagedIdentity", "Microsoft.Insights")


@dataclass
class Estate:
    """Everything but the site."""

    azure: Clients
    login: str
    image: str
    identity: Any
    plan: str
    registry: str
    usual: Mapping[str, str] = field(default_factory=dict)
    """Settings of every site."""

    @classmethod
    def made(cls, azure: Clients, engine: Engine, sku: str = "B1", count: int = 1, base: str = BASE) -> Estate:
        registry = registry_in(azure)
        image = f"{registry.login_server}/app@{push(engine, azure, registry.login_server, base)}"
        identity = azure.identities.user_assigned_identities.create_or_update(GROUP, IDENTITY, {"location": REGION})
        plan = plan_in(azure, sku, count)
        return cls(azure, registry.login_server, image, identity, plan.id, registry.id)

    def assign(self, principal: str = "") -> Any:
        """Let the identity pull."""
        return assign(self.azure, self.registry, principal or self.identity.principal_id)

    def deploy(self, script: str = SERVE, name: str = SITE, **config: Any) -> Any:
        """Create or update the site; it is not awaited that it answers."""
        return self.azure.web.web_apps.begin_create_or_update(GROUP, name, self.site(script, **config)).result()

    def deploy_slot(self, script: str = SERVE, **config: Any) -> Any:
        slots = self.azure.web.web_apps
        return slots.begin_create_or_update_slot(GROUP, SITE, "staging", self.site(script, **config)).result()

    def site(self, script: str, *, settings: dict[str, str] | None = None, **config: Any) -> Site:
        values = {"WEBSITES_PORT": str(PORT), **self.usual, **(settings or {})}
        usual: dict[str, Any] = {
            "linux_fx_version": f"DOCKER|{self.image}",
            "acr_use_managed_identity_creds": True,
            "acr_user_managed_identity_id": self.identity.client_id,
            "app_command_line": script,
            "app_settings": [NameValuePair(name=name, value=value) for name, value in values.items()],
            "http_logging_enabled": True,
        }
        mine = {self.identity.id: UserAssignedIdentity()}
        return Site(
            location=REGION,
            kind="app,linux,container",
            tags={"owner": "shop"},
            identity=ManagedServiceIdentity(type="UserAssigned", user_assigned_identities=mine),
            properties=SiteProperties(
                server_farm_id=self.plan, reserved=True, https_only=True, site_config=SiteConfig(**{**usual, **config})
            ),
        )

    def get(self, url: str) -> requests.Response:
        return requests.get(url, verify=self.azure.bundle, timeout=60, allow_redirects=False)

    def log(self, slot: str = "") -> str:
        """What the site's log says."""
        apps = self.azure.web.web_apps
        if slot:
            return _text(apps.get_web_site_container_logs_slot(GROUP, SITE, slot))
        return _text(apps.get_web_site_container_logs(GROUP, SITE))

    def logged(self, text: str) -> str:
        """The log, once it holds that."""
        return eventually(lambda: log if text in (log := self.log()) else None, f"{text!r} in the log")

    def up(self, site: Any) -> str:
        """Its URL, once it answers."""
        url = f"https://{site.properties.default_host_name}/"
        return eventually(lambda: url if self.get(url).status_code == 200 else None, "a site that answers")


def _text(parts: Iterator[bytes] | None) -> str:
    return b"".join(parts or ()).decode()


def registered(azure: Clients) -> None:
    """The subscription may use what is needed here."""
    for each in NAMESPACES:
        azure.resources.providers.register(each)
    for each in NAMESPACES:
        eventually(lambda: _is_registered(azure, each), f"the registration of {each}")  # noqa: B023 - called within the iteration


def _is_registered(azure: Clients, namespace: str) -> bool | None:
    return azure.resources.providers.get(namespace).registration_state == "Registered" or None


def group_in(azure: Clients) -> Any:
    registered(azure)
    return azure.resources.resource_groups.create_or_update(GROUP, {"location": REGION, "tags": {"owner": "shop"}})


def registry_in(azure: Clients, name: str = REGISTRY, *, admin: bool = False) -> Any:
    group_in(azure)
    properties = RegistryProperties(admin_user_enabled=admin)
    spec = Registry(location=REGION, sku=Sku(name="Basic"), properties=properties, tags={"owner": "shop"})
    return azure.registries.registries.begin_create(GROUP, name, spec).result()


def plan_in(azure: Clients, sku: str = "B1", count: int = 1, name: str = PLAN) -> Any:
    spec = AppServicePlan(
        location=REGION,
        kind="linux",
        sku=SkuDescription(name=sku, capacity=count),
        properties=AppServicePlanProperties(reserved=True),
    )
    return azure.web.app_service_plans.begin_create_or_update(GROUP, name, spec).result()


def assign(azure: Clients, scope: str, principal: str, role: str = ACR_PULL) -> Any:
    definition = f"/subscriptions/{azure.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    spec = RoleAssignmentCreateParameters(
        role_definition_id=definition, principal_id=principal, principal_type="ServicePrincipal", description="shop"
    )
    return azure.roles.role_assignments.create(scope, str(uuid.uuid5(uuid.NAMESPACE_URL, scope + principal)), spec)


def push(engine: Engine, azure: Clients, login: str, base: str = BASE) -> str:
    """The digest of an image in the registry."""
    uri = f"{login}/app"
    engine.client.tag(base, uri, "1")
    access = {"username": USER, "password": azure.password(login)}
    events = list(engine.client.push(uri, "1", auth_config=access, stream=True, decode=True))
    assert not [event for event in events if "error" in event], events[-1]
    return str(next(event["aux"]["Digest"] for event in events if "aux" in event))
