"""App Service plans: the machines on which sites run. Standard: App Service REST API, "App Service Plans"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mldeploy.rehearsal.azure.arm import kinds
from mldeploy.rehearsal.azure.arm.account import Account, Resource
from mldeploy.rehearsal.azure.arm.errors import SiteError
from mldeploy.rehearsal.azure.arm.long import with_location
from mldeploy.rehearsal.azure.arm.routes import GROUP, SUBSCRIPTION, Answer, Question, Route
from mldeploy.rehearsal.azure.arm.shape import Json, Shape, check
from mldeploy.rehearsal.azure.arm.skus import SKUS, TIERS, USUAL_LIMIT, Sku
from mldeploy.rehearsal.azure.arm.tracked import TAGS, check_name, keep, shown_with_state

_SKU = Shape("SkuDescription", {"name": str, "tier": str, "size": str, "family": str, "capacity": int}, ("name",))
_PROPERTIES = Shape(
    "ServerFarm",
    {
        "reserved": bool,
        "perSiteScaling": bool,
        "elasticScaleEnabled": bool,
        "maximumElasticWorkerCount": int,
        "targetWorkerCount": int,
        "targetWorkerSizeId": int,
        "zoneRedundant": bool,
        "hyperV": bool,
        "isXenon": bool,
        "isSpot": bool,
    },
)
_PLAN = Shape(
    "ServerFarmEnvelope", {"location": str, "tags": TAGS, "kind": str, "sku": _SKU, "properties": _PROPERTIES}, ("sku",)
)
_PATCH = Shape("ServerFarmPatch", {"kind": str, "properties": _PROPERTIES})
_TYPE = "Microsoft.Web/serverfarms"


class Plans:
    """Answers for plans. changed: told of a plan whose machines have changed."""

    def __init__(self, changed: Callable[[Resource], None]) -> None:
        self._changed = changed

    @property
    def routes(self) -> Sequence[Route]:
        place = f"{GROUP}/providers/{_TYPE}"
        usages = f"{SUBSCRIPTION}/providers/Microsoft.Web/locations/{{location}}/usages"
        return (
            Route(f"GET {SUBSCRIPTION}/providers/{_TYPE}", kinds.PLAN, _list),
            Route(f"GET {usages}", kinds.PLAN, _usages),
            Route(f"GET {place}", kinds.PLAN, _list),
            Route(f"PUT {place}/{{name}}", kinds.PLAN, self._put),
            Route(f"PATCH {place}/{{name}}", kinds.PLAN, _patch),
            Route(f"GET {place}/{{name}}", kinds.PLAN, _get),
            Route(f"DELETE {place}/{{name}}", kinds.PLAN, _delete),
        )

    def _put(self, asked: Question) -> Answer:
        limits = "It is to have 1 to 60 letters, digits and hyphens."
        check_name(asked["name"], r"[\w-]{1,60}", "BadRequest", f"The name '{asked['name']}' is invalid. {limits}")
        check(asked.body, _PLAN)
        sku, wanted = _sku(asked.body["sku"])
        _check_limit(asked, sku, wanted)
        kept = keep(asked, kinds.PLAN, _PLAN, merged=("reserved",))
        kept.resource.body["sku"] = {"name": sku.name, "tier": sku.tier, "size": sku.name, "capacity": wanted}
        kept.resource.body.setdefault("kind", "linux")
        self._changed(kept.resource)
        if not kept.new:
            return Answer(200, _shown(asked.account, kept.resource))
        asked.account.busy(kept.resource, "InProgress")
        return with_location(
            asked, lambda: _shown(asked.account, kept.resource), _TYPE, _shown(asked.account, kept.resource)
        )


def sku_of(plan: Resource) -> Sku:
    """What a plan's machines are."""
    return SKUS[plan.body["sku"]["name"].lower()]


def plan_of(account: Account, site: Resource) -> Resource:
    """The plan that a site or a slot runs on."""
    return account.need(site.properties["serverFarmId"])


def sites_on(account: Account, plan: Resource) -> list[Resource]:
    """The sites and slots of a plan."""
    found = account.of(kinds.SITE, kinds.SLOT)
    return [each for each in found if each.properties["serverFarmId"].lower() == plan.id.lower()]


def _sku(wanted: dict[str, Any]) -> tuple[Sku, int]:
    """What it is, and how many. Raises ArmError."""
    sku, capacity = SKUS.get(wanted["name"].lower()), wanted.get("capacity")
    if sku is None:
        raise SiteError(400, "BadRequest", f"The parameter SKU has an invalid value: {wanted['name']}.")
    if wanted.get("tier") and wanted["tier"].lower() != sku.tier.lower():
        what = f"The SKU '{wanted['name']}' is not of the tier '{wanted['tier']}'."
        raise SiteError(400, "BadRequest", f"The parameter SKU.Tier has an invalid value. {what}")
    number = 1 if capacity is None else capacity
    if not 1 <= number <= sku.instances:
        what = f"The maximum number of instances allowed for the '{sku.tier}' SKU is {sku.instances}."
        raise SiteError(400, "BadRequest", f"The parameter SKU.Capacity has an invalid value. {what}")
    return sku, number


def _check_limit(asked: Question, sku: Sku, wanted: int) -> None:
    """Raises ArmError: 401, of all numbers, where the region has no more of them for this subscription."""
    account, limit = asked.account, asked.account.orders.limits.get(sku.tier, USUAL_LIMIT)
    used = _used(account, sku.tier, asked.path)
    if used + wanted > limit:
        details = (
            f"Location: {asked.body.get('location')} Current Limit ({sku.tier} VMs): {limit} Current Usage: {used} "
            f"Amount required for this deployment ({sku.tier} VMs): {wanted} "
            f"(Minimum) New Limit that you should request to enable this deployment: {used + wanted}."
        )
        what = f"Operation cannot be completed without additional quota. Additional details - {details}"
        raise SiteError(401, "Unauthorized", what)


def _used(account: Account, tier: str, besides: str = "") -> int:
    plans = [each for each in account.of(kinds.PLAN) if each.id.lower() != besides.lower()]
    return sum(each.body["sku"]["capacity"] for each in plans if sku_of(each).tier == tier)


def _usages(asked: Question) -> Answer:
    account = asked.account
    entries = [
        {
            "id": f"{asked.path}/{tier}",
            "name": {"value": tier, "localizedValue": f"{tier} VMs"},
            "unit": "Count",
            "currentValue": _used(account, tier),
            "limit": account.orders.limits.get(tier, USUAL_LIMIT),
        }
        for tier in TIERS
    ]
    return Answer(200, {"value": entries})


def _patch(asked: Question) -> Answer:
    resource = asked.resource
    check(asked.body, _PATCH)
    resource.properties.update(asked.body.get("properties") or {})
    return Answer(200, _shown(asked.account, resource))


def _get(asked: Question) -> Answer:
    return Answer(200, _shown(asked.account, asked.resource))


def _list(asked: Question) -> Answer:
    within = asked.path[: asked.path.lower().index("/providers/")]
    return Answer(200, {"value": [_shown(asked.account, each) for each in asked.account.of(kinds.PLAN, within=within)]})


def _delete(asked: Question) -> Answer:
    found = asked.account.find(asked.path)
    if found is None:
        return Answer(204)
    if sites := sites_on(asked.account, found):
        names = ", ".join(each.name for each in sites)
        what = f"Server farm '{found.name}' cannot be deleted because it has web app(s) {names} assigned to it."
        raise SiteError(409, "Conflict", what)
    asked.account.remove(found)
    return Answer(200)


def _shown(account: Account, resource: Resource) -> Json:
    body, sku = shown_with_state(resource), sku_of(resource)
    sites = sites_on(account, resource)
    more = {
        "status": "Ready",
        "maximumNumberOfWorkers": sku.instances,
        "numberOfWorkers": resource.body["sku"]["capacity"],
        "numberOfSites": len([each for each in sites if each.kind is kinds.SITE]),
        "geoRegion": resource.body["location"],
    }
    return {**body, "properties": {**body["properties"], **more}}
