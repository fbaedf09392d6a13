"""What Azure itself says is the app's: by tag, each confirmed, since Resource Manager's lists may be a moment old."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mldeploy.core.step import Key, Kinds, Resource
from mldeploy.providers.azure import group, registry
from mldeploy.providers.azure.cloud import AzureCloud
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.tags import DERIVED, filter_of, foreign, registry_name

CloudT = TypeVar("CloudT", bound=AzureCloud)
Derive = Callable[[str, str], str]


@dataclass(frozen=True)
class Listed(Generic[CloudT]):
    """A kind of resource that the lists name. is_there: asks for the very thing. derive: names it from the app's."""

    kind: str
    is_there: Callable[[CloudT, Key], bool]
    derive: Derive | None = None


REGISTRIES: Mapping[str, Listed[Any]] = {
    "microsoft.containerregistry/registries": Listed(registry.ContainerRegistry.kind, registry.is_there, registry_name),
}
"""By Azure's own name of the type, in lower case."""


def inventory(cloud: CloudT, kinds: Kinds[Any], types: Mapping[str, Listed[CloudT]] = REGISTRIES) -> list[Resource]:
    """Everything, needs last. Raises on any doubt: what cannot be listed might be there."""
    with azure_errors(cloud.app):
        things = [*_things(cloud, types), *_groups(cloud)]
    return [each for each in things if each.kind in kinds]


def _things(cloud: CloudT, types: Mapping[str, Listed[CloudT]]) -> Iterator[Resource]:
    for each in cloud.resources.resources.list(filter=filter_of(cloud.app)):
        listed = types.get((each.type or "").lower())
        if listed is None:
            continue
        key = Key(_key_name(cloud, each.name or "", listed.derive), (_group_of(cloud, each.id or ""),))
        if listed.is_there(cloud, key):
            yield Resource(listed.kind, key)


def _groups(cloud: AzureCloud) -> Iterator[Resource]:
    for each in cloud.resources.resource_groups.list(filter=filter_of(cloud.app)):
        there = group.describe(cloud, each.name or "")
        if there is not None and not foreign(there.tags, cloud.app, group.TARGET):
            yield Resource(group.ResourceGroup.kind, Key(_spelled(cloud, there.name)))


def _key_name(cloud: AzureCloud, name: str, derive: Derive | None) -> str:
    """The same that the graph gives it: one thing is not removed twice."""
    if derive and name == derive(cloud.app, cloud.account.subscription):
        return f"{cloud.app}{DERIVED}"
    return name


def _group_of(cloud: AzureCloud, resource_id: str) -> str:
    parts = resource_id.split("/")
    lowered = [part.lower() for part in parts]
    return _spelled(cloud, parts[lowered.index("resourcegroups") + 1]) if "resourcegroups" in lowered else cloud.group


def _spelled(cloud: AzureCloud, name: str) -> str:
    """Groups' names are the same in capitals, and Azure tells them either way."""
    return cloud.group if name.lower() == cloud.group.lower() else name
