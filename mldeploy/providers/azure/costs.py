"""What Azure bills. A price that no source was found for is unknown, and is shown so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mldeploy.providers.azure.settings import AzureSettings
from mldeploy.providers.costs import HOURS, CostItem, Estimate


@dataclass(frozen=True)
class Price:
    """US dollars an hour. date: when it was asked for there, ISO 8601."""

    hourly: float
    source: str
    date: str


_RETAIL = "https://prices.azure.com/api/retail/prices"
"""Microsoft's own list, which answers anybody."""
_DAY = 24

PRICES: Mapping[tuple[str, str], Price] = MappingProxyType(
    {
        ("eastus", "F1"): Price(0.0, _RETAIL, "2026-08-04"),
        ("eastus", "B1"): Price(0.017, _RETAIL, "2026-08-04"),
        ("eastus", "S1"): Price(0.095, _RETAIL, "2026-08-04"),
        ("eastus", "P0v3"): Price(0.0775, _RETAIL, "2026-08-04"),
        ("eastus", "registry Basic"): Price(0.1666 / _DAY, _RETAIL, "2026-08-04"),
        ("japaneast", "registry Basic"): Price(0.1666 / _DAY, _RETAIL, "2026-08-21"),
    }
)
"""By region and product: the size of an App Service plan for Linux, or of a registry."""


def registry_costs(region: str, settings: AzureSettings) -> Estimate:
    """What the registry costs, wherever its images run."""
    return Estimate(region, tuple(registry_items(region, settings)))


def registry_items(region: str, settings: AzureSettings) -> Iterator[CostItem]:
    yield item(region, "container registry", f"registry {settings.registry_sku}", 1)
    yield CostItem("images beyond what the registry includes", None, "by their size")


def item(region: str, what: str, product: str, count: int) -> CostItem:
    """So many of a product, all month."""
    price = PRICES.get((region, product))
    how = f"{count} x {product}"
    if price is None:
        return CostItem(what, None, f"{how}; no price for {region or 'an unknown region'} is known here")
    monthly = round(count * price.hourly * HOURS, 2)
    return CostItem(what, monthly, f"{how} x {HOURS} h x ${price.hourly:.4g}", price.source, price.date)
