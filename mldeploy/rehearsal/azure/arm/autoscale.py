"""Autoscale settings. They are checked and kept; nothing scales by itself. Standard: Azure Monitor REST API."""

from __future__ import annotations

from mldeploy.rehearsal.azure.arm import kinds
from mldeploy.rehearsal.azure.arm.account import Account
from mldeploy.rehearsal.azure.arm.errors import ArmError
from mldeploy.rehearsal.azure.arm.plans import sku_of
from mldeploy.rehearsal.azure.arm.routes import GROUP, Answer, Question, Route
from mldeploy.rehearsal.azure.arm.shape import Each, Json, OneOf, Shape, check
from mldeploy.rehearsal.azure.arm.tracked import TAGS, keep, shown

_TRIGGER = Shape(
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
_ACTION = Shape(
    "ScaleAction",
    {
        "direction": OneOf(("None", "Increase", "Decrease")),
        "type": OneOf(("ChangeCount", "PercentChangeCount", "ExactCount", "ServiceAllowedNextValue")),
        "value": str,
        "cooldown": str,
    },
    ("direction", "type", "cooldown"),
)
_PROFILE = Shape(
    "AutoscaleProfile",
    {
        "name": str,
        "capacity": Shape(
            "ScaleCapacity", {"minimum": str, "maximum": str, "default": str}, ("minimum", "maximum", "default")
        ),
        "rules": Each(
            Shape("ScaleRule", {"metricTrigger": _TRIGGER, "scaleAction": _ACTION}, ("metricTrigger", "scaleAction"))
        ),
        "fixedDate": dict,
        "recurrence": dict,
    },
    ("name", "capacity", "rules"),
)
_SETTING = Shape(
    "AutoscaleSettingResource",
    {
        "location": str,
        "tags": TAGS,
        "properties": Shape(
            "AutoscaleSetting",
            {
                "name": str,
                "enabled": bool,
                "targetResourceUri": str,
                "targetResourceLocation": str,
                "profiles": Each(_PROFILE),
                "notifications": list,
                "predictiveAutoscalePolicy": dict,
            },
            ("profiles",),
        ),
    },
    ("properties",),
)


def _put(asked: Question) -> Answer:
    check(asked.body, _SETTING)
    properties: Json = asked.body["properties"]
    _check_target(asked.account, properties.get("targetResourceUri") or "")
    for profile in properties["profiles"]:
        _check_capacity(profile["capacity"])
    kept = keep(asked, kinds.AUTOSCALE, _SETTING)
    kept.resource.properties.setdefault("name", kept.resource.name)
    return Answer(201 if kept.new else 200, shown(kept.resource))


def _check_target(account: Account, target: str) -> None:
    found = account.find(target)
    if found is None:
        what = f"The target resource '{target}' of the autoscale setting was not found."
        raise ArmError(404, "ResourceNotFound", what)
    if found.kind is not kinds.PLAN or not sku_of(found).autoscale:
        what = f"Autoscale is not supported for the resource '{target}' with its current SKU."
        raise ArmError(400, "UnsupportedResourceSku", what)


def _check_capacity(capacity: dict[str, str]) -> None:
    low, usual, high = (capacity[name] for name in ("minimum", "default", "maximum"))
    if not all(each.isdigit() for each in (low, usual, high)) or not int(low) <= int(usual) <= int(high):
        what = f"The capacity of the profile is invalid: minimum {low}, default {usual}, maximum {high}."
        raise ArmError(400, "BadRequest", what)


def _get(asked: Question) -> Answer:
    return Answer(200, shown(asked.resource))


def _list(asked: Question) -> Answer:
    within = asked.path[: asked.path.lower().index("/providers/")]
    return Answer(200, {"value": [shown(each) for each in asked.account.of(kinds.AUTOSCALE, within=within)]})


def _delete(asked: Question) -> Answer:
    found = asked.account.find(asked.path)
    if found is None:
        return Answer(204)
    asked.account.remove(found)
    return Answer(200)


_PLACE = f"{GROUP}/providers/Microsoft.Insights/autoscalesettings"
ROUTES = (
    Route(f"GET {_PLACE}", kinds.AUTOSCALE, _list),
    Route(f"PUT {_PLACE}/{{name}}", kinds.AUTOSCALE, _put),
    Route(f"GET {_PLACE}/{{name}}", kinds.AUTOSCALE, _get),
    Route(f"DELETE {_PLACE}/{{name}}", kinds.AUTOSCALE, _delete),
)
