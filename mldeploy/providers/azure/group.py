"""The resource group: created and removed with the app, unless it existed before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from azure.mgmt.resource.resources.models import GenericResourceExpanded
from azure.mgmt.resource.resources.models import ResourceGroup as GroupModel

from mldeploy.core.errors import LeftoversError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.azure.account import require_region
from mldeploy.providers.azure.cloud import AzureClients, AzureCloud
from mldeploy.providers.azure.errors import AzureError, ignore_not_found, translate_errors
from mldeploy.providers.azure.tags import APP, missing_tags, owner_tags
from mldeploy.providers.azure.waiting import run_operation, wait_until_gone

TARGET = "acr"
EMPTY_SECONDS = 60.0
"""Time for which Resource Manager may still list deleted resources."""
LOOK_EVERY = 1.0


@dataclass(frozen=True)
class ResourceGroupInfo:
    """A resource group. region: the default region of its resources."""

    name: str
    region: str
    tags: dict[str, str]


@translate_errors
@dataclass(frozen=True, eq=False)
class ResourceGroup(Step[AzureCloud, ResourceGroupInfo]):
    """The resource group of the app. Its output includes the region for the other resources."""

    kind: ClassVar[str] = "resource-group"
    title: ClassVar[str] = "Create the resource group"

    name: str

    def key(self) -> Key:
        return Key(self.name)

    def probe(self, cloud: AzureCloud, outs: Outputs) -> Seen[ResourceGroupInfo] | None:
        existing = describe_group(cloud, self.name)
        if existing is None:
            require_region(cloud.account)  # fail in the plan if there is no region
            return None
        return Seen(existing, ours=not missing_tags(existing.tags, cloud.app, TARGET))

    def apply(
        self, cloud: AzureCloud, outs: Outputs, seen: Seen[ResourceGroupInfo] | None, monitor: Monitor
    ) -> ResourceGroupInfo:
        region = require_region(cloud.account)
        wait_until_gone(monitor, self.name, lambda: not _is_deleting(cloud, self.name))
        parameters = GroupModel(location=region, tags=owner_tags(cloud.app, TARGET))
        cloud.resources.resource_groups.create_or_update(self.name, parameters)
        return ResourceGroupInfo(self.name, region, owner_tags(cloud.app, TARGET))

    @staticmethod
    def undo(cloud: AzureCloud, key: Key, monitor: Monitor) -> bool:
        """Delete the group once it is empty, since Azure deletes its contents too. Raises LeftoversError."""
        groups = cloud.resources.resource_groups
        existing = ignore_not_found(partial(groups.get, key.name))
        if existing is None or missing_tags(existing.tags, cloud.app, TARGET):
            return False
        if not _is_deleting(cloud, key.name):
            _wait_until_empty(cloud, key.name, monitor)
            # After a lost response, a repeated request may get 404 because the first one succeeded.
            ignore_not_found(partial(run_operation, monitor, key.name, partial(groups.begin_delete, key.name)))
        wait_until_gone(monitor, key.name, lambda: ignore_not_found(partial(groups.get, key.name)) is None)
        return True


def describe_group(cloud: AzureClients, name: str) -> ResourceGroupInfo | None:
    """None if the group does not exist or is being deleted."""
    existing = ignore_not_found(partial(cloud.resources.resource_groups.get, name))
    if existing is None or (existing.properties and existing.properties.provisioning_state == "Deleting"):
        return None
    region = cloud.account.region or existing.location.replace(" ", "").lower()
    return ResourceGroupInfo(name, region, dict(existing.tags or {}))


def list_contents(cloud: AzureClients, name: str) -> Iterator[GenericResourceExpanded]:
    """All resources in a group, including those of others."""
    yield from cloud.resources.resources.list_by_resource_group(name)


def _is_deleting(cloud: AzureClients, name: str) -> bool:
    existing = ignore_not_found(partial(cloud.resources.resource_groups.get, name))
    return (
        existing is not None
        and existing.properties is not None
        and existing.properties.provisioning_state == "Deleting"
    )


def _wait_until_empty(cloud: AzureCloud, name: str, monitor: Monitor) -> None:
    """Wait until the group is empty. Raises LeftoversError at once if it contains resources of others."""
    left: list[GenericResourceExpanded] = []
    for _ in monitor.attempts(every=LOOK_EVERY, within=EMPTY_SECONDS):
        left = list(list_contents(cloud, name))
        if not left or any((each.tags or {}).get(APP) != cloud.app for each in left):
            break
    if left:
        listed = ", ".join(sorted(f"{each.type} {each.name}" for each in left))
        todo = "Move or delete them (for resources of another target: `mldeploy destroy --target webapp`)."
        raise LeftoversError(name, f"the resource group still contains {listed}", todo)


REGISTRIES = "Microsoft.ContainerRegistry"
IDENTITIES = "Microsoft.ManagedIdentity"
SITES = "Microsoft.Web"
INSIGHTS = "Microsoft.Insights"
CONTAINER_APPS = "Microsoft.App"
VAULTS = "Microsoft.KeyVault"

REGISTERED_SECONDS = 600.0


@translate_errors
@dataclass(frozen=True, eq=False)
class ResourceProvider(Step[AzureCloud, None]):
    """A registered resource provider. It is free of charge and stays registered."""

    kind: ClassVar[str] = "resource-provider"
    title: ClassVar[str] = "Register the resource provider"
    stays: ClassVar[bool] = True

    namespace: str

    def key(self) -> Key:
        return Key(self.namespace)

    def probe(self, cloud: AzureCloud, outs: Outputs) -> Seen[None] | None:
        return Seen(None, ours=False) if is_registered(cloud, self.namespace) else None

    def apply(self, cloud: AzureCloud, outs: Outputs, seen: Seen[None] | None, monitor: Monitor) -> None:
        cloud.resources.providers.register(self.namespace)
        for _ in monitor.attempts(every=LOOK_EVERY, within=REGISTERED_SECONDS):
            if is_registered(cloud, self.namespace):
                return
            monitor.progress(Progress("", f"waiting until {self.namespace} is registered"))
        what = f"is not registered after {REGISTERED_SECONDS:.0f} s"
        raise AzureError(self.namespace, what, "Run the command again later.")

    @staticmethod
    def undo(cloud: AzureCloud, key: Key, monitor: Monitor) -> bool:
        """Nothing to do: others in the subscription may need it."""
        return False


def is_registered(cloud: AzureClients, namespace: str) -> bool:
    return cloud.resources.providers.get(namespace).registration_state == "Registered"
