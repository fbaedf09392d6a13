"""List the app's resources by tag. Each one is confirmed, because Resource Manager's lists may be stale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mldeploy.core.step import Key, Kinds, Resource
from mldeploy.providers.azure import group, registry
from mldeploy.providers.azure.cloud import AzureCloud
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.tags import DERIVED, app_filter, derive_registry_name, missing_tags

CloudT = TypeVar("CloudT", bound=AzureCloud)
Derive = Callable[[str, str], str]


@dataclass(frozen=True)
class ListedKind(Generic[CloudT]):
    """A listed kind of resource. exists: confirms that it exists. derive: derives its name from the app's."""

    kind: str
    exists: Callable[[CloudT, Key], bool]
    derive: Derive | None = None


REGISTRIES: Mapping[str, ListedKind[Any]] = {
    "microsoft.containerregistry/registries": ListedKind(
        registry.ContainerRegistry.kind, registry.registry_exists, derive_registry_name
    ),
}
"""By resource type, in lower case."""


def list_resources(
    cloud: CloudT, kinds: Kinds[Any], types: Mapping[str, ListedKind[CloudT]] = REGISTRIES
) -> list[Resource]:
    """The app's resources, dependencies last. Raises if anything cannot be listed."""
    with azure_errors(cloud.app):
        resources = [*_list_tagged(cloud, types), *_list_groups(cloud)]
    return [each for each in resources if each.kind in kinds]


def _list_tagged(cloud: CloudT, types: Mapping[str, ListedKind[CloudT]]) -> Iterator[Resource]:
    for each in cloud.resources.resources.list(filter=app_filter(cloud.app)):
        listed = types.get((each.type or "").lower())
        if listed is None:
            continue
        key = Key(_key_name(cloud, each.name or "", listed.derive), (_group_of(cloud, each.id or ""),))
        if listed.exists(cloud, key):
            yield Resource(listed.kind, key)


def _list_groups(cloud: AzureCloud) -> Iterator[Resource]:
    for each in cloud.resources.resource_groups.list(filter=app_filter(cloud.app)):
        existing = group.describe_group(cloud, each.name or "")
        if existing is not None and not missing_tags(existing.tags, cloud.app, group.TARGET):
            yield Resource(group.ResourceGroup.kind, Key(_normalize_group(cloud, existing.name)))


def _key_name(cloud: AzureCloud, name: str, derive: Derive | None) -> str:
    """The key's name as in the steps, so that a resource is not removed twice."""
    if derive and name == derive(cloud.app, cloud.account.subscription):
        return f"{cloud.app}{DERIVED}"
    return name


def _group_of(cloud: AzureCloud, resource_id: str) -> str:
    parts = resource_id.split("/")
    lowered = [part.lower() for part in parts]
    return (
        _normalize_group(cloud, parts[lowered.index("resourcegroups") + 1])
        if "resourcegroups" in lowered
        else cloud.group
    )


def _normalize_group(cloud: AzureCloud, name: str) -> str:
    """Group names are case-insensitive, and Azure returns any case."""
    return cloud.group if name.lower() == cloud.group.lower() else name
