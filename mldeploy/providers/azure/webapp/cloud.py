"""The clients of the target `webapp`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.monitor import MonitorManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.web import WebSiteManagementClient

from mldeploy.config.settings import Project
from mldeploy.core.step import Key
from mldeploy.image.engine import Engine
from mldeploy.providers.azure.account import AzureSubscription
from mldeploy.providers.azure.cloud import create_clients, resource_names
from mldeploy.providers.azure.identity import IdentityCloud
from mldeploy.providers.azure.tags import DERIVED, WEBAPP, derive_site_name, resolve_name
from mldeploy.providers.azure.webapp.settings import WebappSettings


@dataclass(frozen=True)
class WebappCloud(IdentityCloud):
    """The clients of the registry and of App Service. site_key: the key of the site."""

    target: ClassVar[str] = WEBAPP

    site_key: Key
    web: WebSiteManagementClient
    monitor: MonitorManagementClient

    @property
    def site(self) -> str:
        """The site's name."""
        return resolve_name(self.site_key.name, self.account.subscription, derive_site_name)

    @staticmethod
    def for_site(engine: Engine, account: AzureSubscription, project: Project, settings: WebappSettings) -> WebappCloud:
        """Create all clients. Makes no call."""
        app, group, registry = resource_names(project, settings)
        whose = account.credential, account.subscription
        return WebappCloud(
            account,
            app,
            group,
            registry,
            settings.by_admin,
            *create_clients(account),
            engine,
            ManagedServiceIdentityClient(*whose, **account.options),
            AuthorizationManagementClient(*whose, **account.options),
            KeyVaultManagementClient(*whose, **account.options),
            site_key(app, group, settings),
            WebSiteManagementClient(*whose, **account.options),
            MonitorManagementClient(*whose, **account.options),
        )


def site_key(app: str, group: str, settings: WebappSettings) -> Key:
    """The key of the site, which does not depend on the subscription."""
    return Key(settings.name or f"{app}{DERIVED}", (group,))
