"""The clients of the targets on Azure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from mldeploy.config.settings import Project
from mldeploy.core.step import Key
from mldeploy.image.engine import Engine
from mldeploy.providers.azure import tags
from mldeploy.providers.azure.account import AzureSubscription
from mldeploy.providers.azure.settings import AzureSettings


@dataclass(frozen=True)
class AzureClients:
    """The Azure clients for one app. Thread-safe.

    group: the resource group. registry_key: the key of the container registry. by_admin: log in with its admin user.
    """

    account: AzureSubscription
    app: str
    group: str
    registry_key: Key
    by_admin: bool
    resources: ResourceManagementClient
    registries: ContainerRegistryManagementClient

    @property
    def registry(self) -> str:
        """The registry's name."""
        return tags.resolve_name(self.registry_key.name, self.account.subscription, tags.derive_registry_name)

    @property
    def scope(self) -> tuple[str, str]:
        """Subscription and group. Two deployments of one app differ in them."""
        return self.account.subscription, self.group

    @property
    def group_id(self) -> str:
        """The prefix of the id of every resource in the group."""
        return f"{self.account.scope}/resourceGroups/{self.group}"

    @staticmethod
    def in_account(account: AzureSubscription, project: Project, settings: AzureSettings) -> AzureClients:
        """Create all clients. Makes no call."""
        return AzureClients(account, *resource_names(project, settings), settings.by_admin, *create_clients(account))


@dataclass(frozen=True)
class AzureCloud(AzureClients):
    """The clients of a target on Azure and the container engine."""

    engine: Engine

    @staticmethod
    def of(engine: Engine, account: AzureSubscription, project: Project, settings: AzureSettings) -> AzureCloud:
        """Create all clients. Makes no call."""
        return AzureCloud(
            account, *resource_names(project, settings), settings.by_admin, *create_clients(account), engine
        )


def resource_names(project: Project, settings: AzureSettings) -> tuple[str, str, Key]:
    """The names of the app and its resource group, and the key of its registry."""
    app = project.app.name
    group = settings.resource_group or tags.resource_name(app)
    return app, group, Key(settings.registry or f"{app}{tags.DERIVED}", (group,))


def create_clients(account: AzureSubscription) -> tuple[ResourceManagementClient, ContainerRegistryManagementClient]:
    """The clients that every target on Azure needs."""
    credentials = account.credential, account.subscription
    return (
        ResourceManagementClient(*credentials, **account.options),
        ContainerRegistryManagementClient(*credentials, **account.options),
    )


def enum_text(value: str | Enum | None) -> str:
    """The value of an SDK enumeration or string as text; empty for None."""
    return str(value.value) if isinstance(value, Enum) else value or ""
