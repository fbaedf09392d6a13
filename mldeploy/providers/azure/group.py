"""The resource group: made and removed with the app, or found and left as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from azure.mgmt.resource.resources.models import GenericResourceExpanded
from azure.mgmt.resource.resources.models import ResourceGroup as GroupModel

from mldeploy.core.errors import LeftoversError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.azure.account import region_of
from mldeploy.providers.azure.answers import speaking
from mldeploy.providers.azure.cloud import AzureClients, AzureCloud
from mldeploy.providers.azure.errors import found
from mldeploy.providers.azure.tags import APP, belonging, foreign
from mldeploy.providers.azure.waiting import finish, until_gone

TARGET = "acr"
EMPTY_SECONDS = 60.0
"""So long Resource Manager's lists may still name what has just been removed."""
LOOK_EVERY = 1.0


@dataclass(frozen=True)
class Group:
    """A resource group. region: where things in it are made, unless they say otherwise."""

    name: str
    region: str
    tags: dict[str, str]


@speaking
@dataclass(frozen=True, eq=False)
class ResourceGroup(Step[AzureCloud, Group]):
    """What everything of the app's is in. Its output says where to make it."""

    kind: ClassVar[str] = "resource-group"
    title: ClassVar[str] = "Create the resource group"

    name: str

    def key(self) -> Key:
        return Key(self.name)

    def probe(self, cloud: AzureCloud, outs: Outputs) -> Seen[Group] | None:
        there = describe(cloud, self.name)
        if there is None:
            region_of(cloud.account)  # a plan that cannot be carried out is none
            return None
        return Seen(there, ours=not foreign(there.tags, cloud.app, TARGET))

    def apply(self, cloud: AzureCloud, outs: Outputs, seen: Seen[Group] | None, monitor: Monitor) -> Group:
        region = region_of(cloud.account)
        until_gone(monitor, self.name, lambda: not _is_going(cloud, self.name))
        wanted = GroupModel(location=region, tags=belonging(cloud.app, TARGET))
        cloud.resources.resource_groups.create_or_update(self.name, wanted)
        return Group(self.name, region, belonging(cloud.app, TARGET))

    @staticmethod
    def undo(cloud: AzureCloud, key: Key, monitor: Monitor) -> bool:
        """Only once it is empty: Azure would remove everything in it, whosever it is. Raises LeftoversError."""
        groups = cloud.resources.resource_groups
        there = found(partial(groups.get, key.name))
        if there is None or foreign(there.tags, cloud.app, TARGET):
            return False
        if not _is_going(cloud, key.name):
            _empty(cloud, key.name, monitor)
            # Sent again after a lost answer, it may find that the first one has already removed the group.
            found(partial(finish, monitor, key.name, partial(groups.begin_delete, key.name)))
        until_gone(monitor, key.name, lambda: found(partial(groups.get, key.name)) is None)
        return True


def describe(cloud: AzureClients, name: str) -> Group | None:
    """None if there is none, or none that will stay."""
    there = found(partial(cloud.resources.resource_groups.get, name))
    if there is None or (there.properties and there.properties.provisioning_state == "Deleting"):
        return None
    region = cloud.account.region or there.location.replace(" ", "").lower()
    return Group(name, region, dict(there.tags or {}))


def contents(cloud: AzureClients, name: str) -> Iterator[GenericResourceExpanded]:
    """Everything in a group, whosever it is."""
    yield from cloud.resources.resources.list_by_resource_group(name)


def _is_going(cloud: AzureClients, name: str) -> bool:
    there = found(partial(cloud.resources.resource_groups.get, name))
    return there is not None and there.properties is not None and there.properties.provisioning_state == "Deleting"


def _empty(cloud: AzureCloud, name: str, monitor: Monitor) -> None:
    """Return once nothing is in the group. What is not the app's will not go by itself."""
    left: list[GenericResourceExpanded] = []
    for _ in monitor.attempts(every=LOOK_EVERY, within=EMPTY_SECONDS):
        left = list(contents(cloud, name))
        if not left or any((each.tags or {}).get(APP) != cloud.app for each in left):
            break
    if left:
        listed = ", ".join(sorted(f"{each.type} {each.name}" for each in left))
        todo = "Move it elsewhere or remove it (what belongs to another target: `mldeploy destroy --target webapp`)."
        raise LeftoversError(name, f"the resource group still holds {listed}", todo)
