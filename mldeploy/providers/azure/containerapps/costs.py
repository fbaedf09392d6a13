"""The estimate of `mldeploy plan`: what the app costs at no requests, at few, and at many.

https://learn.microsoft.com/azure/container-apps/billing
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mldeploy.config.settings import Project
from mldeploy.providers.azure.containerapps.settings import FEWEST, ContainerAppsSettings, ReplicaSize
from mldeploy.providers.azure.webapp.plan import registry_cost_items
from mldeploy.providers.capabilities import HOURS_A_MONTH, CostItem, Estimate

_RETAIL = "https://prices.azure.com/api/retail/prices"
"""The public price list of Microsoft: the meters of Azure Container Apps whose name begins with Standard."""
SECONDS_A_MONTH = HOURS_A_MONTH * 3600
MILLION = 1_000_000
RATES = (1, 10)
"""Requests a second for which the estimate is made."""
REQUEST_SECONDS = 0.1
"""How long a prediction is assumed to take."""


@dataclass(frozen=True)
class ConsumptionPrices:
    """US dollars: a second of a vCPU and of a GiB while active, and a million requests. idle_*: None if not known."""

    vcpu: float
    gib: float
    requests: float
    source: str
    date: str
    idle_vcpu: float | None = None
    idle_gib: float | None = None

    def active(self, size: ReplicaSize) -> float:
        """A second of a replica that serves, or starts."""
        return size.cpu * self.vcpu + size.gib * self.gib

    def idle(self, size: ReplicaSize) -> float | None:
        """A second of a replica that `min` keeps and that serves nothing."""
        if self.idle_vcpu is None or self.idle_gib is None:
            return None
        return size.cpu * self.idle_vcpu + size.gib * self.idle_gib


PRICES: Mapping[str, ConsumptionPrices] = MappingProxyType(
    {
        "japaneast": ConsumptionPrices(0.000024, 0.000003, 0.40, _RETAIL, "2026-08-21"),
        "westus2": ConsumptionPrices(0.000034, 0.000004, 0.40, _RETAIL, "2026-08-27", 0.000004, 0.000004),
    }
)
"""By region."""


def estimate_containerapps(region: str, project: Project, settings: ContainerAppsSettings) -> Estimate:
    """The app without requests, with what requests add, and the registry. Without the free monthly grant."""
    items = (*_app_items(region, project, settings), *registry_cost_items(region, settings), _traffic())
    return Estimate(region, items)


def _app_items(region: str, project: Project, settings: ContainerAppsSettings) -> Iterator[CostItem]:
    size, fewest = settings.size(project), FEWEST if settings.min is None else settings.min
    name, what = f"{fewest} x replica ({size})", "the app without requests"
    prices = PRICES.get(region)
    if prices is None:
        unknown = f"the price in {region or 'an unknown region'} is not known"
        yield CostItem(what, 0.0 if fewest == 0 else None, f"{name}: {'it scales to zero' if fewest == 0 else unknown}")
        yield CostItem("requests", None, unknown)
        return
    idle = 0.0 if fewest == 0 else prices.idle(size)
    monthly = None if idle is None else round(fewest * idle * SECONDS_A_MONTH, 2)
    how = f"{name}, idle: ${idle:.3g} a second" if idle else f"{name}: it scales to zero"
    if idle is None:
        how = f"{name}: the price of idle replicas in {region} is not known"
    yield CostItem(what, monthly, f"{how}. {describe_loads(prices, size, settings)}", prices.source, prices.date)


def describe_loads(prices: ConsumptionPrices, size: ReplicaSize, settings: ContainerAppsSettings) -> str:
    """A sentence: what a month costs at each of `RATES`, and a million requests at the highest one."""
    months = [f"${monthly_cost(prices, size, settings, rate):.2f} at {rate}/s" for rate in RATES]
    per_million = monthly_cost(prices, size, settings, RATES[-1]) / (RATES[-1] * SECONDS_A_MONTH) * MILLION
    return (
        f"With requests of {REQUEST_SECONDS:g} s, a month costs {' and '.join(months)}; "
        f"a million requests at {RATES[-1]}/s cost ${per_million:.2f}"
    )


def monthly_cost(prices: ConsumptionPrices, size: ReplicaSize, settings: ContainerAppsSettings, rate: float) -> float:
    """US dollars for a month with so many requests a second, evenly spread: the replicas never scale to zero."""
    replicas = max(settings.min or 0, math.ceil(rate * REQUEST_SECONDS / settings.concurrency), 1)
    return SECONDS_A_MONTH * (replicas * prices.active(size) + rate * prices.requests / MILLION)


def _traffic() -> CostItem:
    return CostItem("traffic", None, "by the data that the app sends")
