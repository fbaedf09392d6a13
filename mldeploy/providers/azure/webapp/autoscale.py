"""Autoscaling of the App Service plan. https://learn.microsoft.com/azure/azure-monitor/autoscale/"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import ClassVar

from azure.mgmt.monitor.models import (
    AutoscaleProfile,
    AutoscaleSettingResource,
    MetricTrigger,
    ScaleAction,
    ScaleCapacity,
    ScaleRule,
)

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.azure.errors import ignore_not_found, translate_errors
from mldeploy.providers.azure.group import ResourceProvider
from mldeploy.providers.azure.tags import has_webapp_tags, resource_name, webapp_tags
from mldeploy.providers.azure.waiting import wait_until_gone
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.plan import AppServicePlan
from mldeploy.providers.azure.webapp.settings import Scaling

METRIC = "CpuPercentage"
WINDOW = timedelta(minutes=5)
SCALE_OUT_COOLDOWN, SCALE_IN_COOLDOWN = timedelta(minutes=3), timedelta(minutes=10)
"""Scale out quickly and in slowly."""
SCALE_IN_MARGIN = 25
"""Scale in at this many percent below the goal, so that the remaining instances do not scale out again at once."""


@translate_errors
@dataclass(frozen=True, eq=False)
class Autoscale(Step[WebappCloud, None]):
    """The number of instances follows the load."""

    kind: ClassVar[str] = "autoscale-setting"
    title: ClassVar[str] = "Scale with the load"

    app: str
    goal: Scaling
    provider: ResourceProvider
    plan: AppServicePlan

    def key(self) -> Key:
        return Key(resource_name(self.app), (self.plan.group.name,))

    def probe(self, cloud: WebappCloud, outs: Outputs) -> Seen[None] | None:
        existing = get_setting(cloud, self.key())
        return (
            Seen(None, tuple(self._drift(existing)), ours=has_webapp_tags(existing.tags, cloud.app))
            if existing
            else None
        )

    def apply(self, cloud: WebappCloud, outs: Outputs, seen: Seen[None] | None, monitor: Monitor) -> None:
        plan = outs[self.plan]
        setting = build_setting(cloud.app, self.key().name, plan.region, plan.id, self.goal)
        cloud.monitor.autoscale_settings.create_or_update(self.plan.group.name, self.key().name, setting)

    @staticmethod
    def undo(cloud: WebappCloud, key: Key, monitor: Monitor) -> bool:
        if not setting_exists(cloud, key):
            return False
        ignore_not_found(partial(cloud.monitor.autoscale_settings.delete, key.scope[0], key.name))
        wait_until_gone(monitor, key.name, lambda: get_setting(cloud, key) is None)
        return True

    def _drift(self, existing: AutoscaleSettingResource) -> Iterator[str]:
        current = parse_scaling(existing)
        if current != self.goal:
            before, after = _scaling_text(current), _scaling_text(self.goal)
            yield f"autoscaling {before} → {after}"
        if existing.enabled is False:
            yield "suspended → on"


def build_setting(app: str, setting: str, region: str, plan: str, goal: Scaling) -> AutoscaleSettingResource:
    """The CreateOrUpdate request for the setting, with owner tags."""
    capacity = ScaleCapacity(minimum=str(goal.least), maximum=str(goal.most), default=str(goal.least))
    rules = [
        _scale_rule(plan, "GreaterThan", goal.cpu, "Increase", SCALE_OUT_COOLDOWN),
        _scale_rule(plan, "LessThan", max(1, goal.cpu - SCALE_IN_MARGIN), "Decrease", SCALE_IN_COOLDOWN),
    ]
    return AutoscaleSettingResource(
        location=region,
        tags=webapp_tags(app),
        profiles=[AutoscaleProfile(name="load", capacity=capacity, rules=rules)],
        enabled=True,
        name_properties_name=setting,
        target_resource_uri=plan,
    )


def parse_scaling(existing: AutoscaleSettingResource) -> Scaling | None:
    """The scaling of an existing setting; None if mldeploy did not create it in this form."""
    profiles = existing.profiles or []
    if len(profiles) != 1 or len(profiles[0].rules or []) != 2:
        return None
    capacity, above = profiles[0].capacity, profiles[0].rules[0].metric_trigger
    return Scaling(int(capacity.minimum), int(capacity.maximum), round(above.threshold))


def get_setting(cloud: WebappCloud, key: Key) -> AutoscaleSettingResource | None:
    """The setting for a key, or None. It may belong to others."""
    return ignore_not_found(partial(cloud.monitor.autoscale_settings.get, key.scope[0], key.name))


def setting_exists(cloud: WebappCloud, key: Key) -> bool:
    """Whether the app owns this setting."""
    existing = get_setting(cloud, key)
    return existing is not None and has_webapp_tags(existing.tags, cloud.app)


def _scale_rule(plan: str, operator: str, threshold: int, direction: str, cooldown: timedelta) -> ScaleRule:
    trigger = MetricTrigger(
        metric_name=METRIC,
        metric_resource_uri=plan,
        time_grain=timedelta(minutes=1),
        statistic="Average",
        time_window=WINDOW,
        time_aggregation="Average",
        operator=operator,
        threshold=float(threshold),
    )
    action = ScaleAction(direction=direction, type="ChangeCount", value="1", cooldown=cooldown)
    return ScaleRule(metric_trigger=trigger, scale_action=action)


def _scaling_text(goal: Scaling | None) -> str:
    return f"{goal.least} to {goal.most} at {goal.cpu} % CPU" if goal else "otherwise"
