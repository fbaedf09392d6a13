"""The web apps of a subscription that mldeploy has deployed, by their tags.

https://learn.microsoft.com/en-us/rest/api/resources/resources/list
"""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.core.step import Key
from mldeploy.providers.azure import tags
from mldeploy.providers.azure.errors import azure_errors
from mldeploy.providers.azure.tags import APP, TARGET, WEBAPP, derive_site_name
from mldeploy.providers.azure.webapp import plan
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.capabilities import ListedApp

_SITE = "microsoft.web/sites"
_GROUP_AT = 4
"""Of the group's name in the id `/subscriptions/S/resourceGroups/G/providers/…`."""


def list_apps(cloud: WebappCloud, settings: WebappSettings) -> Iterator[ListedApp[WebappSettings]]:
    """Yield the apps of the subscription, with the size of their plans."""
    with azure_errors("web apps"):
        found = list(cloud.resources.resources.list(filter=f"tagName eq '{TARGET}' and tagValue eq '{WEBAPP}'"))
    for each in found:
        app, name = (each.tags or {}).get(APP, ""), each.name or ""
        if app and (each.type or "").lower() == _SITE:
            yield _describe_app(cloud, app, name, (each.id or "").split("/")[_GROUP_AT], settings)


def _describe_app(
    cloud: WebappCloud, app: str, site: str, group: str, settings: WebappSettings
) -> ListedApp[WebappSettings]:
    is_derived = site == derive_site_name(app, cloud.account.subscription)
    runs: dict[str, object] = {"resource_group": group, "name": "" if is_derived else site}
    with azure_errors(app):
        found = plan.get_plan(cloud, Key(tags.resource_name(app, limit=40), (group,)))
    if found is not None:
        runs |= {"sku": found.sku, "instances": found.count}
    return ListedApp(app, settings.model_copy(update=runs), is_sized=found is not None)
