"""What a month of the app costs on App Service."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.providers.azure.costs import item, registry_items
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.costs import CostItem, Estimate


def estimate(region: str, settings: WebappSettings) -> Estimate:
    """The plan with as few instances as the settings allow, and the registry. A staging slot costs nothing."""
    return Estimate(region, tuple(_items(region, settings)))


def _items(region: str, settings: WebappSettings) -> Iterator[CostItem]:
    count = settings.instances or settings.min or 1
    yield item(region, "App Service plan", settings.sku, count)
    yield from registry_items(region, settings)
    yield CostItem("traffic", None, "by what the app sends")
