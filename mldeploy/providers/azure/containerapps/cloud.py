"""The clients of the target `containerapps`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from azure.mgmt.appcontainers import ContainerAppsAPIClient
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient

from mldeploy.config.settings import Project
from mldeploy.core.step import Key
from mldeploy.image.engine import Engine
from mldeploy.providers.azure.account import AzureSubscription
from mldeploy.providers.azure.cloud import create_clients, resource_names
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.identity import IdentityCloud
from mldeploy.providers.azure.tags import CONTAINERAPPS, container_app_name


@dataclass(frozen=True)
class ContainerAppsCloud(IdentityCloud):
    """The clients of the registry and of Container Apps. app_key: the key of the container app."""

    target: ClassVar[str] = CONTAINERAPPS

    app_key: Key
    apps: ContainerAppsAPIClient

    @property
    def app_id(self) -> str:
        """The container app's resource id."""
        return f"{self.group_id}/providers/Microsoft.App/containerApps/{self.app_key.name}"

    @staticmethod
    def for_app(
        engine: Engine, account: AzureSubscription, project: Project, settings: ContainerAppsSettings
    ) -> ContainerAppsCloud:
        """Create all clients. Makes no call."""
        app, group, registry = resource_names(project, settings)
        whose = account.credential, account.subscription
        return ContainerAppsCloud(
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
            app_key(app, group),
            ContainerAppsAPIClient(*whose, **account.options),
        )


def app_key(app: str, group: str) -> Key:
    """The key of the container app."""
    return Key(container_app_name(app), (group,))
