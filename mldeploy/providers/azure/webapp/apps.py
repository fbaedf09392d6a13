"""The web apps of a subscription that mldeploy has deployed, with the size of their plans."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.core.step import Key
from mldeploy.providers.azure import tags
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.listed_apps import TaggedApp, list_tagged_apps
from mldeploy.providers.azure.tags import WEBAPP, derive_site_name
from mldeploy.providers.azure.webapp import plan
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.capabilities import ListedApp

_SITE = "microsoft.web/sites"


def list_apps(cloud: WebappCloud, settings: WebappSettings) -> Iterator[ListedApp[WebappSettings]]:
    """Yield the apps of the subscription."""
    for each in list_tagged_apps(cloud, WEBAPP, _SITE):
        yield _describe_app(cloud, each, settings)


def _describe_app(cloud: WebappCloud, app: TaggedApp, settings: WebappSettings) -> ListedApp[WebappSettings]:
    is_derived = app.resource == derive_site_name(app.name, cloud.account.subscription)
    runs: dict[str, object] = {"resource_group": app.group, "name": "" if is_derived else app.resource}
    with azure_errors(app.name):
        found = plan.get_plan(cloud, Key(tags.resource_name(app.name, limit=40), (app.group,)))
    if found is not None:
        runs |= {"sku": found.sku, "instances": found.count}
    return ListedApp(app.name, settings.model_copy(update=runs), is_sized=found is not None)
