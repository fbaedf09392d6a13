"""The App Service plan: the instances that the app runs on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import ClassVar

from azure.core.exceptions import ResourceExistsError
from azure.mgmt.web.models import AppServicePlan as PlanModel
from azure.mgmt.web.models import AppServicePlanProperties, SkuDescription

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.azure.cloud import enum_text
from mldeploy.providers.azure.errors import ignore_not_found, translate_errors
from mldeploy.providers.azure.group import ResourceGroup, ResourceProvider
from mldeploy.providers.azure.settings import AzureSettings
from mldeploy.providers.azure.tags import has_webapp_tags, resource_name, webapp_tags
from mldeploy.providers.azure.waiting import run_operation, wait_until_gone
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.settings import TIERS, WebappSettings
from mldeploy.providers.capabilities import HOURS_A_MONTH, CostItem, Estimate, HourlyPrice

READY = "Succeeded"
SITES_POLL_SECONDS, SITES_GONE_SECONDS = 1.0, 300.0


@dataclass(frozen=True)
class PlanInfo:
    """id: the resource id. region: also of its sites. count: instances."""

    id: str
    region: str
    sku: str
    count: int
    state: str
    ours: bool


@translate_errors
@dataclass(frozen=True, eq=False)
class AppServicePlan(Step[WebappCloud, PlanInfo]):
    """A Linux plan with a size and a number of instances."""

    kind: ClassVar[str] = "app-service-plan"
    title: ClassVar[str] = "Create the App Service plan"

    app: str
    settings: WebappSettings
    provider: ResourceProvider
    group: ResourceGroup

    def key(self) -> Key:
        return Key(resource_name(self.app, limit=40), (self.group.name,))

    def probe(self, cloud: WebappCloud, outs: Outputs) -> Seen[PlanInfo] | None:
        """Raises RefusedError if the plan is in another region: plans cannot move."""
        existing = get_plan(cloud, self.key())
        if existing is None:
            return None
        if cloud.account.region and existing.ours and existing.region != cloud.account.region:
            what = f"is in {existing.region}, and the configuration says {cloud.account.region}"
            todo = "Correct `region`, or run `mldeploy destroy --target webapp` and deploy again."
            raise RefusedError(f"App Service plan {self.key().name}", what, todo)
        return Seen(existing, tuple(self._drift(existing)), ours=existing.ours)

    def apply(self, cloud: WebappCloud, outs: Outputs, seen: Seen[PlanInfo] | None, monitor: Monitor) -> PlanInfo:
        """Raises QuotaError if the quota of the region does not cover the instances."""
        current = seen.out if seen else None
        region = current.region if current else outs[self.group].region
        count = self.settings.count(current.count if current else 0) or (current.count if current else 1)
        return write_plan(cloud, monitor, self.key(), build_plan(cloud.app, region, self.settings.sku, count))

    @staticmethod
    def undo(cloud: WebappCloud, key: Key, monitor: Monitor) -> bool:
        if not plan_exists(cloud, key):
            return False
        _delete_plan(cloud, key, monitor)
        wait_until_gone(monitor, key.name, lambda: get_plan(cloud, key) is None)
        return True

    def _drift(self, existing: PlanInfo) -> Iterator[str]:
        count = self.settings.count(existing.count)
        if existing.state not in ("", READY):
            yield f"state {existing.state} → {READY}"
        if existing.sku.lower() != self.settings.sku.lower():
            yield f"size {existing.sku} → {self.settings.sku}"
        if count is not None and count != existing.count:
            yield f"instances {existing.count} → {count}"


def _delete_plan(cloud: WebappCloud, key: Key, monitor: Monitor) -> None:
    """Delete a plan. App Service may count deleted sites for minutes. Raises SDK errors if the plan has a site."""
    delete = partial(cloud.web.app_service_plans.delete, key.scope[0], key.name)
    for _ in monitor.attempts(every=SITES_POLL_SECONDS, within=SITES_GONE_SECONDS):
        try:
            ignore_not_found(delete)
        except ResourceExistsError:  # 409
            if _has_sites(cloud, key):
                raise
            monitor.progress(Progress("", "waiting until App Service has removed the site from its plan"))
        else:
            return
    ignore_not_found(delete)


def _has_sites(cloud: WebappCloud, key: Key) -> bool:
    """Whether a site in the plan's group is on the plan."""
    plan = f"/serverfarms/{key.name}".lower()
    listed = cloud.web.web_apps.list_by_resource_group(key.scope[0])
    return any(((each.properties and each.properties.server_farm_id) or "").lower().endswith(plan) for each in listed)


def build_plan(app: str, region: str, sku: str, count: int) -> PlanModel:
    """The CreateOrUpdate request for the plan, with owner tags. `reserved` means Linux."""
    return PlanModel(
        location=region,
        kind="linux",
        tags=webapp_tags(app),
        sku=SkuDescription(name=sku, tier=TIERS[sku].name, capacity=count),
        properties=AppServicePlanProperties(reserved=True),
    )


def write_plan(cloud: WebappCloud, monitor: Monitor, key: Key, model: PlanModel) -> PlanInfo:
    """Create or update the plan. Raises SDK errors."""
    begin = partial(cloud.web.app_service_plans.begin_create_or_update, key.scope[0], key.name, model)
    return _parse_plan(run_operation(monitor, key.name, begin), cloud.app)


def get_plan(cloud: WebappCloud, key: Key) -> PlanInfo | None:
    """The plan for a key, or None. It may belong to others."""
    existing = ignore_not_found(partial(cloud.web.app_service_plans.get, key.scope[0], key.name))
    return _parse_plan(existing, cloud.app) if existing else None


def plan_exists(cloud: WebappCloud, key: Key) -> bool:
    """Whether the app owns this plan."""
    existing = get_plan(cloud, key)
    return existing is not None and existing.ours


def normalize_region(region: str) -> str:
    """The short name of a region: Azure also returns "West Europe"."""
    return region.replace(" ", "").lower()


def _parse_plan(existing: PlanModel, app: str) -> PlanInfo:
    properties, sku = existing.properties, existing.sku
    return PlanInfo(
        existing.id or "",
        normalize_region(existing.location or ""),
        (sku.name if sku else "") or "",
        (sku.capacity if sku else 0) or 0,
        enum_text(properties.provisioning_state) if properties else "",
        has_webapp_tags(existing.tags, app),
    )


_RETAIL = "https://prices.azure.com/api/retail/prices"
"""The public price list of Microsoft."""
_DAY = 24

PRICES: Mapping[tuple[str, str], HourlyPrice] = MappingProxyType(
    {
        ("eastus", "F1"): HourlyPrice(0.0, _RETAIL, "2026-08-04"),
        ("eastus", "B1"): HourlyPrice(0.017, _RETAIL, "2026-08-04"),
        ("eastus", "S1"): HourlyPrice(0.095, _RETAIL, "2026-08-04"),
        ("eastus", "P0v3"): HourlyPrice(0.0775, _RETAIL, "2026-08-04"),
        ("eastus", "registry Basic"): HourlyPrice(0.1666 / _DAY, _RETAIL, "2026-08-04"),
        ("japaneast", "registry Basic"): HourlyPrice(0.1666 / _DAY, _RETAIL, "2026-08-21"),
    }
)
"""By region and product: the size of an App Service plan for Linux, or of a registry."""


def estimate_registry(region: str, settings: AzureSettings) -> Estimate:
    """The monthly cost of the registry."""
    return Estimate(region, tuple(registry_cost_items(region, settings)))


def registry_cost_items(region: str, settings: AzureSettings) -> Iterator[CostItem]:
    yield cost_item(region, "container registry", f"registry {settings.registry_sku}", 1)
    yield CostItem("images beyond what the registry includes", None, "by their size")


def cost_item(region: str, what: str, product: str, count: int) -> CostItem:
    """The cost of `count` units of a product for a month."""
    price = PRICES.get((region, product))
    how = f"{count} x {product}"
    if price is None:
        return CostItem(what, None, f"{how}; the price in {region or 'an unknown region'} is not known")
    monthly = round(count * price.hourly * HOURS_A_MONTH, 2)
    return CostItem(what, monthly, f"{how} x {HOURS_A_MONTH} h x ${price.hourly:.4g}", price.source, price.date)


def estimate_webapp(region: str, settings: WebappSettings) -> Estimate:
    """The plan with the minimum number of instances, and the registry. A staging slot is free."""
    return Estimate(region, tuple(_webapp_cost_items(region, settings)))


def _webapp_cost_items(region: str, settings: WebappSettings) -> Iterator[CostItem]:
    count = settings.instances or settings.min or 1
    yield cost_item(region, "App Service plan", settings.sku, count)
    yield from registry_cost_items(region, settings)
    yield CostItem("traffic", None, "by the data that the app sends")
