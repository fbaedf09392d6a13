"""The clients of the target."""

from __future__ import annotations

from dataclasses import dataclass

from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.monitor import MonitorManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.web import WebSiteManagementClient

from mldeploy.config.settings import Project
from mldeploy.core.step import Key
from mldeploy.image.engine import Engine
from mldeploy.providers.azure.account import Account
from mldeploy.providers.azure.cloud import AzureCloud, clients, names
from mldeploy.providers.azure.tags import DERIVED, resolved, site_name
from mldeploy.providers.azure.webapp.settings import WebappSettings


@dataclass(frozen=True)
class WebappCloud(AzureCloud):
    """What the registry needs, and the services that a web app is made of. site_key: of the site."""

    site_key: Key
    web: WebSiteManagementClient
    identities: ManagedServiceIdentityClient
    roles: AuthorizationManagementClient
    monitor: MonitorManagementClient

    @property
    def site(self) -> str:
        """The site's name."""
        return resolved(self.site_key.name, self.account.subscription, site_name)

    @staticmethod
    def for_site(engine: Engine, account: Account, project: Project, settings: WebappSettings) -> WebappCloud:
        """With all clients made. Raises nothing: no call is made."""
        app, group, registry = names(project, settings)
        whose = account.credential, account.subscription
        return WebappCloud(
            account,
            app,
            group,
            registry,
            settings.by_admin,
            *clients(account),
            engine,
            key_of(app, group, settings),
            WebSiteManagementClient(*whose, **account.options),
            ManagedServiceIdentityClient(*whose, **account.options),
            AuthorizationManagementClient(*whose, **account.options),
            MonitorManagementClient(*whose, **account.options),
        )


def key_of(app: str, group: str, settings: WebappSettings) -> Key:
    """What the site is called before the subscription is known."""
    return Key(settings.name or f"{app}{DERIVED}", (group,))
