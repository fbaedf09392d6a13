"""The App Service plan: the machines that the app runs on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from azure.mgmt.web.models import AppServicePlan as PlanModel
from azure.mgmt.web.models import AppServicePlanProperties, SkuDescription

from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.azure.answers import speaking
from mldeploy.providers.azure.errors import found
from mldeploy.providers.azure.group import ResourceGroup
from mldeploy.providers.azure.resource_provider import ResourceProvider
from mldeploy.providers.azure.tags import name
from mldeploy.providers.azure.waiting import finish, until_gone
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.azure.webapp.skus import TIERS
from mldeploy.providers.azure.webapp.tags import belonging, is_ours
from mldeploy.providers.azure.words import word

READY = "Succeeded"


@dataclass(frozen=True)
class Plan:
    """id: its resource's. region: where it is, and so whatever runs on it. count: instances."""

    id: str
    region: str
    sku: str
    count: int
    state: str
    ours: bool


@speaking
@dataclass(frozen=True, eq=False)
class AppServicePlan(Step[WebappCloud, Plan]):
    """So many Linux machines of a size."""

    kind: ClassVar[str] = "app-service-plan"
    title: ClassVar[str] = "Create the App Service plan"

    app: str
    settings: WebappSettings
    provider: ResourceProvider
    group: ResourceGroup

    def key(self) -> Key:
        return Key(name(self.app, limit=40), (self.group.name,))

    def probe(self, cloud: WebappCloud, outs: Outputs) -> Seen[Plan] | None:
        """Raises RefusedError if it is in another region: nothing moves there."""
        there = at(cloud, self.key())
        if there is None:
            return None
        if cloud.account.region and there.ours and there.region != cloud.account.region:
            what = f"is in {there.region}, and the configuration says {cloud.account.region}"
            todo = "An app cannot move: `mldeploy destroy --target webapp`, then deploy; or correct `region`."
            raise RefusedError(f"App Service plan {self.key().name}", what, todo)
        return Seen(there, tuple(self._drift(there)), ours=there.ours)

    def apply(self, cloud: WebappCloud, outs: Outputs, seen: Seen[Plan] | None, monitor: Monitor) -> Plan:
        """Raises QuotaError if the subscription may not have so many machines of this size in the region."""
        now = seen.out if seen else None
        region = now.region if now else outs[self.group].region
        count = self.settings.count(now.count if now else 0) or (now.count if now else 1)
        return write(cloud, monitor, self.key(), request(cloud.app, region, self.settings.sku, count))

    @staticmethod
    def undo(cloud: WebappCloud, key: Key, monitor: Monitor) -> bool:
        if not is_there(cloud, key):
            return False
        found(partial(cloud.web.app_service_plans.delete, key.scope[0], key.name))
        until_gone(monitor, key.name, lambda: at(cloud, key) is None)
        return True

    def _drift(self, there: Plan) -> Iterator[str]:
        count = self.settings.count(there.count)
        if there.state not in ("", READY):
            yield f"state {there.state} → {READY}"
        if there.sku.lower() != self.settings.sku.lower():
            yield f"size {there.sku} → {self.settings.sku}"
        if count is not None and count != there.count:
            yield f"instances {there.count} → {count}"


def request(app: str, region: str, sku: str, count: int) -> PlanModel:
    """The plan as CreateOrUpdate takes it, tagged. `reserved` is App Service's word for Linux."""
    return PlanModel(
        location=region,
        kind="linux",
        tags=belonging(app),
        sku=SkuDescription(name=sku, tier=TIERS[sku].name, capacity=count),
        properties=AppServicePlanProperties(reserved=True),
    )


def write(cloud: WebappCloud, monitor: Monitor, key: Key, wanted: PlanModel) -> Plan:
    """Make the plan so. Raises what the SDK raises."""
    begin = partial(cloud.web.app_service_plans.begin_create_or_update, key.scope[0], key.name, wanted)
    return _read(finish(monitor, key.name, begin), cloud.app)


def at(cloud: WebappCloud, key: Key) -> Plan | None:
    """The plan that a key names, whoever made it."""
    there = found(partial(cloud.web.app_service_plans.get, key.scope[0], key.name))
    return _read(there, cloud.app) if there else None


def is_there(cloud: WebappCloud, key: Key) -> bool:
    """The app has this plan."""
    there = at(cloud, key)
    return there is not None and there.ours


def is_in(region: str) -> str:
    """A region's name as it is written in addresses: Azure tells it as "West Europe" as well."""
    return region.replace(" ", "").lower()


def _read(there: PlanModel, app: str) -> Plan:
    about, sku = there.properties, there.sku
    return Plan(
        there.id or "",
        is_in(there.location or ""),
        (sku.name if sku else "") or "",
        (sku.capacity if sku else 0) or 0,
        word(about.provisioning_state) if about else "",
        is_ours(there.tags, app),
    )
