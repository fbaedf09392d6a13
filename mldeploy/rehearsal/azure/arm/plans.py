"""App Service plans and their SKUs. Standard: App Service REST API, "App Service Plans"; "App Service limits"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from mldeploy.rehearsal.azure.arm import resource_types
from mldeploy.rehearsal.azure.arm.long_running import accept_operation, results_of
from mldeploy.rehearsal.azure.arm.resources import TAGS, check_name, describe_with_state, list_resources, put_resource
from mldeploy.rehearsal.azure.arm.routes import GROUP, SUBSCRIPTION, ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import Json, ObjectSchema, SiteError, validate
from mldeploy.rehearsal.azure.arm.state import ArmResource, SubscriptionState


@dataclass(frozen=True)
class Sku:
    """memory: MiB. instances, slots: the maximum; slots without the production slot."""

    name: str
    tier: str
    cores: int
    memory: int
    instances: int
    slots: int = 0
    always_on: bool = True
    autoscale: bool = False


def _basic(name: str, cores: int, memory: int) -> Sku:
    return Sku(name, "Basic", cores, memory, 3)


def _standard(name: str, cores: int, memory: int) -> Sku:
    return Sku(name, "Standard", cores, memory, 10, 5, autoscale=True)


def _premium(name: str, tier: str, cores: int, memory: int) -> Sku:
    return Sku(name, tier, cores, memory, 30, 20, autoscale=True)


_ALL = (
    Sku("F1", "Free", 1, 1024, 1, always_on=False),
    _basic("B1", 1, 1792),
    _basic("B2", 2, 3584),
    _basic("B3", 4, 7168),
    _standard("S1", 1, 1792),
    _standard("S2", 2, 3584),
    _standard("S3", 4, 7168),
    _premium("P1v2", "PremiumV2", 1, 3584),
    _premium("P2v2", "PremiumV2", 2, 7168),
    _premium("P3v2", "PremiumV2", 4, 14336),
    _premium("P0v3", "Premium0V3", 1, 4096),
    _premium("P1v3", "PremiumV3", 2, 8192),
    _premium("P2v3", "PremiumV3", 4, 16384),
    _premium("P3v3", "PremiumV3", 8, 32768),
)
SKUS: Mapping[str, Sku] = MappingProxyType({each.name.lower(): each for each in _ALL})
TIERS = tuple(dict.fromkeys(each.tier for each in _ALL))
DEFAULT_QUOTA = 10
"""The default quota: instances of each tier in a region."""


_SKU = ObjectSchema(
    "SkuDescription", {"name": str, "tier": str, "size": str, "family": str, "capacity": int}, ("name",)
)
_PROPERTIES = ObjectSchema(
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
_PLAN = ObjectSchema(
    "ServerFarmEnvelope", {"location": str, "tags": TAGS, "kind": str, "sku": _SKU, "properties": _PROPERTIES}, ("sku",)
)
_PATCH = ObjectSchema("ServerFarmPatch", {"kind": str, "properties": _PROPERTIES})
_TYPE = "Microsoft.Web/serverfarms"


class Plans:
    """The operations on plans. changed: called with a plan after a PUT."""

    def __init__(self, changed: Callable[[ArmResource], None]) -> None:
        self._changed = changed

    @property
    def routes(self) -> Sequence[ArmRoute]:
        collection = f"{GROUP}/providers/{_TYPE}"
        usages = f"{SUBSCRIPTION}/providers/Microsoft.Web/locations/{{location}}/usages"
        return (
            ArmRoute(f"GET {SUBSCRIPTION}/providers/{_TYPE}", resource_types.PLAN, _list),
            ArmRoute(f"GET {usages}", resource_types.PLAN, _list_usages),
            ArmRoute(f"GET {collection}", resource_types.PLAN, _list),
            ArmRoute(f"PUT {collection}/{{name}}", resource_types.PLAN, self._put),
            ArmRoute(f"PATCH {collection}/{{name}}", resource_types.PLAN, _patch),
            ArmRoute(f"GET {collection}/{{name}}", resource_types.PLAN, _get),
            ArmRoute(f"DELETE {collection}/{{name}}", resource_types.PLAN, _delete),
        )

    def _put(self, request: ArmRequest) -> ArmResponse:
        limits = "It is to have 1 to 60 letters, digits and hyphens."
        check_name(request["name"], r"[\w-]{1,60}", "BadRequest", f"The name '{request['name']}' is invalid. {limits}")
        validate(request.body, _PLAN)
        sku, capacity = _parse_sku(request.body["sku"])
        _check_quota(request, sku, capacity)
        result = put_resource(request, resource_types.PLAN, _PLAN, merged=("reserved",))
        result.resource.body["sku"] = {"name": sku.name, "tier": sku.tier, "size": sku.name, "capacity": capacity}
        result.resource.body.setdefault("kind", "linux")
        self._changed(result.resource)
        if not result.new:
            return ArmResponse(200, _describe(request.account, result.resource))
        request.account.begin_change(result.resource, "InProgress")
        return accept_operation(
            request,
            lambda: _describe(request.account, result.resource),
            results_of(result.resource),
            _describe(request.account, result.resource),
        )


def get_sku(plan: ArmResource) -> Sku:
    """Return the SKU of a plan."""
    return SKUS[plan.body["sku"]["name"].lower()]


def get_plan(account: SubscriptionState, site: ArmResource) -> ArmResource:
    """Return the plan of a site or slot. Raises ArmError, 404."""
    return account.get(site.properties["serverFarmId"])


def list_sites(account: SubscriptionState, plan: ArmResource) -> list[ArmResource]:
    """Return the sites and slots of a plan."""
    sites = account.list_resources(resource_types.SITE, resource_types.SLOT)
    return [each for each in sites if each.properties["serverFarmId"].lower() == plan.id.lower()]


def _parse_sku(spec: dict[str, Any]) -> tuple[Sku, int]:
    """Return the SKU and the capacity of a request. Raises ArmError."""
    sku, capacity = SKUS.get(spec["name"].lower()), spec.get("capacity")
    if sku is None:
        raise SiteError(400, "BadRequest", f"The parameter SKU has an invalid value: {spec['name']}.")
    if spec.get("tier") and spec["tier"].lower() != sku.tier.lower():
        what = f"The SKU '{spec['name']}' is not of the tier '{spec['tier']}'."
        raise SiteError(400, "BadRequest", f"The parameter SKU.Tier has an invalid value. {what}")
    number = 1 if capacity is None else capacity
    if not 1 <= number <= sku.instances:
        what = f"The maximum number of instances allowed for the '{sku.tier}' SKU is {sku.instances}."
        raise SiteError(400, "BadRequest", f"The parameter SKU.Capacity has an invalid value. {what}")
    return sku, number


def _check_quota(request: ArmRequest, sku: Sku, capacity: int) -> None:
    """Check the quota. Raises ArmError with status 401, as Azure does."""
    account, limit = request.account, request.account.conditions.limits.get(sku.tier, DEFAULT_QUOTA)
    used = _count_instances(account, sku.tier, request.path)
    if used + capacity > limit:
        details = (
            f"Location: {request.body.get('location')} Current Limit ({sku.tier} VMs): {limit} Current Usage: {used} "
            f"Amount required for this deployment ({sku.tier} VMs): {capacity} "
            f"(Minimum) New Limit that you should request to enable this deployment: {used + capacity}."
        )
        what = f"Operation cannot be completed without additional quota. Additional details - {details}"
        raise SiteError(401, "Unauthorized", what)


def _count_instances(account: SubscriptionState, tier: str, besides: str = "") -> int:
    plans = [each for each in account.list_resources(resource_types.PLAN) if each.id.lower() != besides.lower()]
    return sum(each.body["sku"]["capacity"] for each in plans if get_sku(each).tier == tier)


def _list_usages(request: ArmRequest) -> ArmResponse:
    account = request.account
    entries = [
        {
            "id": f"{request.path}/{tier}",
            "name": {"value": tier, "localizedValue": f"{tier} VMs"},
            "unit": "Count",
            "currentValue": _count_instances(account, tier),
            "limit": account.conditions.limits.get(tier, DEFAULT_QUOTA),
        }
        for tier in TIERS
    ]
    return ArmResponse(200, {"value": entries})


def _patch(request: ArmRequest) -> ArmResponse:
    resource = request.resource
    validate(request.body, _PATCH)
    resource.properties.update(request.body.get("properties") or {})
    return ArmResponse(200, _describe(request.account, resource))


def _get(request: ArmRequest) -> ArmResponse:
    return ArmResponse(200, _describe(request.account, request.resource))


def _list(request: ArmRequest) -> ArmResponse:
    return list_resources(request, resource_types.PLAN, partial(_describe, request.account))


def _delete(request: ArmRequest) -> ArmResponse:
    resource = request.account.find(request.path)
    if resource is None:
        return ArmResponse(204)
    if sites := list_sites(request.account, resource):
        names = ", ".join(each.name for each in sites)
        what = f"Server farm '{resource.name}' cannot be deleted because it has web app(s) {names} assigned to it."
        raise SiteError(409, "Conflict", what)
    if request.account.is_first("deletion of", resource):  # the sites were deleted a moment ago
        what = f"Server farm '{resource.name}' cannot be deleted because it has web app(s) assigned to it."
        raise SiteError(409, "Conflict", what)
    request.account.remove(resource)
    return ArmResponse(200)


def _describe(account: SubscriptionState, resource: ArmResource) -> Json:
    body, sku = describe_with_state(resource), get_sku(resource)
    sites = list_sites(account, resource)
    more = {
        "status": "Ready",
        "maximumNumberOfWorkers": sku.instances,
        "numberOfWorkers": resource.body["sku"]["capacity"],
        "numberOfSites": len([each for each in sites if each.kind is resource_types.SITE]),
        "geoRegion": resource.body["location"],
    }
    return {**body, "properties": {**body["properties"], **more}}
