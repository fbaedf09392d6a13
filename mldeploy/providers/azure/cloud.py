"""The clients of the targets on Azure."""

from __future__ import annotations

from dataclasses import dataclass

from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from mldeploy.config.settings import Project
from mldeploy.core.step import Key
from mldeploy.image.engine import Engine
from mldeploy.providers.azure import tags
from mldeploy.providers.azure.account import Account
from mldeploy.providers.azure.settings import AzureSettings


@dataclass(frozen=True)
class AzureClients:
    """A subscription, for one app. Clients may be used from several threads.

    group: the resource group that everything is in. registry_key: of the container registry. by_admin: its admin user
    is to be used.
    """

    account: Account
    app: str
    group: str
    registry_key: Key
    by_admin: bool
    resources: ResourceManagementClient
    registries: ContainerRegistryManagementClient

    @property
    def registry(self) -> str:
        """The registry's name."""
        return tags.resolved(self.registry_key.name, self.account.subscription, tags.registry_name)

    @property
    def place(self) -> tuple[str, str]:
        """What separates two deployments of one app: names are unique inside a group."""
        return self.account.subscription, self.group

    @property
    def group_id(self) -> str:
        """As the beginning of the id of every resource in it."""
        return f"{self.account.scope}/resourceGroups/{self.group}"

    @staticmethod
    def in_account(account: Account, project: Project, settings: AzureSettings) -> AzureClients:
        """With all clients made. Raises nothing: no call is made."""
        return AzureClients(account, *names(project, settings), settings.by_admin, *clients(account))


@dataclass(frozen=True)
class AzureCloud(AzureClients):
    """What every target on Azure works with: the clients, and the engine that builds for it."""

    engine: Engine

    @staticmethod
    def of(engine: Engine, account: Account, project: Project, settings: AzureSettings) -> AzureCloud:
        """With all clients made. Raises nothing: no call is made."""
        return AzureCloud(account, *names(project, settings), settings.by_admin, *clients(account), engine)


def names(project: Project, settings: AzureSettings) -> tuple[str, str, Key]:
    """The app, its group, and its registry."""
    app = project.app.name
    group = settings.resource_group or tags.name(app)
    return app, group, Key(settings.registry or f"{app}{tags.DERIVED}", (group,))


def clients(account: Account) -> tuple[ResourceManagementClient, ContainerRegistryManagementClient]:
    """What every target on Azure needs."""
    whose = account.credential, account.subscription
    return (
        ResourceManagementClient(*whose, **account.options),
        ContainerRegistryManagementClient(*whose, **account.options),
    )
