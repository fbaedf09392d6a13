"""Autoscaling: as many instances as the load asks for. https://learn.microsoft.com/azure/azure-monitor/autoscale/"""

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
from mldeploy.providers.azure.answers import speaking
from mldeploy.providers.azure.errors import found
from mldeploy.providers.azure.resource_provider import ResourceProvider
from mldeploy.providers.azure.tags import name
from mldeploy.providers.azure.waiting import until_gone
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.plan import AppServicePlan
from mldeploy.providers.azure.webapp.settings import Scaling
from mldeploy.providers.azure.webapp.tags import belonging, is_ours

METRIC = "CpuPercentage"
WINDOW = timedelta(minutes=5)
OUT, IN = timedelta(minutes=3), timedelta(minutes=10)
"""More instances come quickly and go slowly."""
REST = 25
"""So many percent below the goal an instance goes: nearer to it, the others would call it back at once."""


@speaking
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
        return Key(name(self.app), (self.plan.group.name,))

    def probe(self, cloud: WebappCloud, outs: Outputs) -> Seen[None] | None:
        there = at(cloud, self.key())
        return Seen(None, tuple(self._drift(there)), ours=is_ours(there.tags, cloud.app)) if there else None

    def apply(self, cloud: WebappCloud, outs: Outputs, seen: Seen[None] | None, monitor: Monitor) -> None:
        plan = outs[self.plan]
        wanted = request(cloud.app, self.key().name, plan.region, plan.id, self.goal)
        cloud.monitor.autoscale_settings.create_or_update(self.plan.group.name, self.key().name, wanted)

    @staticmethod
    def undo(cloud: WebappCloud, key: Key, monitor: Monitor) -> bool:
        if not is_there(cloud, key):
            return False
        found(partial(cloud.monitor.autoscale_settings.delete, key.scope[0], key.name))
        until_gone(monitor, key.name, lambda: at(cloud, key) is None)
        return True

    def _drift(self, there: AutoscaleSettingResource) -> Iterator[str]:
        was = read(there)
        if was != self.goal:
            now, then = _told(was), _told(self.goal)
            yield f"autoscaling {now} → {then}"
        if there.enabled is False:
            yield "suspended → on"


def request(app: str, setting: str, region: str, plan: str, goal: Scaling) -> AutoscaleSettingResource:
    """The setting as CreateOrUpdate takes it, tagged."""
    capacity = ScaleCapacity(minimum=str(goal.least), maximum=str(goal.most), default=str(goal.least))
    rules = [
        _rule(plan, "GreaterThan", goal.cpu, "Increase", OUT),
        _rule(plan, "LessThan", max(1, goal.cpu - REST), "Decrease", IN),
    ]
    return AutoscaleSettingResource(
        location=region,
        tags=belonging(app),
        profiles=[AutoscaleProfile(name="load", capacity=capacity, rules=rules)],
        enabled=True,
        name_properties_name=setting,
        target_resource_uri=plan,
    )


def read(there: AutoscaleSettingResource) -> Scaling | None:
    """What an existing setting keeps to; None if it is none of ours."""
    profiles = there.profiles or []
    if len(profiles) != 1 or len(profiles[0].rules or []) != 2:
        return None
    capacity, above = profiles[0].capacity, profiles[0].rules[0].metric_trigger
    return Scaling(int(capacity.minimum), int(capacity.maximum), round(above.threshold))


def at(cloud: WebappCloud, key: Key) -> AutoscaleSettingResource | None:
    """The setting that a key names, whoever made it."""
    return found(partial(cloud.monitor.autoscale_settings.get, key.scope[0], key.name))


def is_there(cloud: WebappCloud, key: Key) -> bool:
    """The app has this setting."""
    there = at(cloud, key)
    return there is not None and is_ours(there.tags, cloud.app)


def _rule(plan: str, operator: str, threshold: int, direction: str, cooldown: timedelta) -> ScaleRule:
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


def _told(goal: Scaling | None) -> str:
    return f"{goal.least} to {goal.most} at {goal.cpu} % CPU" if goal else "otherwise"
