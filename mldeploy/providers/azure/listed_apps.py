"""The apps of a subscription that mldeploy has deployed on a target, by the tags of their running part.

https://learn.microsoft.com/en-us/rest/api/resources/resources/list
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.providers.azure.cloud import AzureCloud
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.tags import APP, TARGET

_GROUP_AT = 4
"""Of the group's name in the id `/subscriptions/S/resourceGroups/G/providers/…`."""


@dataclass(frozen=True)
class TaggedApp:
    """name: of the app. resource: of its running part. group: of the resource group."""

    name: str
    resource: str
    group: str


def list_tagged_apps(cloud: AzureCloud, target: str, kind: str) -> Iterator[TaggedApp]:
    """Yield the apps of a target. kind: the type of their running part, in lower case. Raises MldeployError."""
    with azure_errors(f"apps on {target}"):
        found = list(cloud.resources.resources.list(filter=f"tagName eq '{TARGET}' and tagValue eq '{target}'"))
    for each in found:
        app = (each.tags or {}).get(APP, "")
        if app and (each.type or "").lower() == kind:
            yield TaggedApp(app, each.name or "", (each.id or "").split("/")[_GROUP_AT])
