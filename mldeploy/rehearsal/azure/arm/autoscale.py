"""Autoscale settings. They are validated and stored without effect. Standard: Azure Monitor REST API."""

from __future__ import annotations

from mldeploy.rehearsal.azure.arm import resource_types
from mldeploy.rehearsal.azure.arm.plans import get_sku
from mldeploy.rehearsal.azure.arm.resources import (
    TAGS,
    delete_resource,
    describe,
    get_resource,
    list_resources,
    put_resource,
)
from mldeploy.rehearsal.azure.arm.routes import GROUP, ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json, ListOf, ObjectSchema, OneOf, validate
from mldeploy.rehearsal.azure.arm.state import SubscriptionState

_TRIGGER = ObjectSchema(
    "MetricTrigger",
    {
        "metricName": str,
        "metricNamespace": str,
        "metricResourceUri": str,
        "metricResourceLocation": str,
        "timeGrain": str,
        "statistic": OneOf(("Average", "Min", "Max", "Sum", "Count")),
        "timeWindow": str,
        "timeAggregation": OneOf(("Average", "Minimum", "Maximum", "Total", "Count", "Last")),
        "operator": OneOf(("Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual")),
        "threshold": float,
        "dimensions": list,
        "dividePerInstance": bool,
    },
    (
        "metricName",
        "metricResourceUri",
        "timeGrain",
        "statistic",
        "timeWindow",
        "timeAggregation",
        "operator",
        "threshold",
    ),
)
_ACTION = ObjectSchema(
    "ScaleAction",
    {
        "direction": OneOf(("None", "Increase", "Decrease")),
        "type": OneOf(("ChangeCount", "PercentChangeCount", "ExactCount", "ServiceAllowedNextValue")),
        "value": str,
        "cooldown": str,
    },
    ("direction", "type", "cooldown"),
)
_PROFILE = ObjectSchema(
    "AutoscaleProfile",
    {
        "name": str,
        "capacity": ObjectSchema(
            "ScaleCapacity", {"minimum": str, "maximum": str, "default": str}, ("minimum", "maximum", "default")
        ),
        "rules": ListOf(
            ObjectSchema(
                "ScaleRule", {"metricTrigger": _TRIGGER, "scaleAction": _ACTION}, ("metricTrigger", "scaleAction")
            )
        ),
        "fixedDate": dict,
        "recurrence": dict,
    },
    ("name", "capacity", "rules"),
)
_SETTING = ObjectSchema(
    "AutoscaleSettingResource",
    {
        "location": str,
        "tags": TAGS,
        "properties": ObjectSchema(
            "AutoscaleSetting",
            {
                "name": str,
                "enabled": bool,
                "targetResourceUri": str,
                "targetResourceLocation": str,
                "profiles": ListOf(_PROFILE),
                "notifications": list,
                "predictiveAutoscalePolicy": dict,
            },
            ("profiles",),
        ),
    },
    ("properties",),
)


def _put(request: ArmRequest) -> ArmResponse:
    validate(request.body, _SETTING)
    properties: Json = request.body["properties"]
    _check_target(request.account, properties.get("targetResourceUri") or "")
    for profile in properties["profiles"]:
        _check_capacity(profile["capacity"])
    result = put_resource(request, resource_types.AUTOSCALE, _SETTING)
    result.resource.properties.setdefault("name", result.resource.name)
    return ArmResponse(201 if result.new else 200, describe(result.resource))


def _check_target(account: SubscriptionState, target: str) -> None:
    resource = account.find(target)
    if resource is None:
        what = f"The target resource '{target}' of the autoscale setting was not found."
        raise ArmError(404, "ResourceNotFound", what)
    if resource.kind is not resource_types.PLAN or not get_sku(resource).autoscale:
        what = f"Autoscale is not supported for the resource '{target}' with its current SKU."
        raise ArmError(400, "UnsupportedResourceSku", what)


def _check_capacity(capacity: dict[str, str]) -> None:
    low, usual, high = (capacity[name] for name in ("minimum", "default", "maximum"))
    if not all(each.isdigit() for each in (low, usual, high)) or not int(low) <= int(usual) <= int(high):
        what = f"The capacity of the profile is invalid: minimum {low}, default {usual}, maximum {high}."
        raise ArmError(400, "BadRequest", what)


def _list(request: ArmRequest) -> ArmResponse:
    return list_resources(request, resource_types.AUTOSCALE, describe)


_PATH = f"{GROUP}/providers/Microsoft.Insights/autoscalesettings"
ROUTES = (
    ArmRoute(f"GET {_PATH}", resource_types.AUTOSCALE, _list),
    ArmRoute(f"PUT {_PATH}/{{name}}", resource_types.AUTOSCALE, _put),
    ArmRoute(f"GET {_PATH}/{{name}}", resource_types.AUTOSCALE, get_resource),
    ArmRoute(f"DELETE {_PATH}/{{name}}", resource_types.AUTOSCALE, delete_resource),
)
