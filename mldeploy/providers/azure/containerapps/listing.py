"""The container apps of a subscription that mldeploy has deployed, with the size of the version that serves."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.core.step import Key
from mldeploy.providers.azure.containerapps.apps import describe_app
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.listed_apps import TaggedApp, list_tagged_apps
from mldeploy.providers.azure.tags import CONTAINERAPPS
from mldeploy.providers.capabilities import ListedApp

_APP = "microsoft.app/containerapps"


def list_apps(cloud: ContainerAppsCloud, settings: ContainerAppsSettings) -> Iterator[ListedApp[ContainerAppsSettings]]:
    """Yield the apps of the subscription."""
    for each in list_tagged_apps(cloud, CONTAINERAPPS, _APP):
        yield _describe_app(cloud, each, settings)


def _describe_app(
    cloud: ContainerAppsCloud, app: TaggedApp, settings: ContainerAppsSettings
) -> ListedApp[ContainerAppsSettings]:
    """The memory follows from the CPUs, as on every replica of the Consumption profile."""
    with azure_errors(app.name):
        info = describe_app(cloud, Key(app.resource, (app.group,)))
    runs: dict[str, object] = {"resource_group": app.group}
    serving = info.serving if info is not None else None
    if serving is not None:
        fewest, most = serving.spec.replicas
        runs |= {"cpu": serving.spec.size.cpu, "memory": None, "min": fewest, "max": most}
    return ListedApp(app.name, settings.model_copy(update=runs), is_sized=serving is not None)
