"""Autoscaling: so many tasks as the load asks for. https://docs.aws.amazon.com/autoscaling/application/userguide/"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.balancer import LoadBalancer
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors
from mldeploy.providers.aws.fargate.service import EcsService
from mldeploy.providers.aws.fargate.settings import AutoscalingSpec
from mldeploy.providers.aws.fargate.tags import owner_tags, resource_name
from mldeploy.providers.aws.fargate.targets import TargetGroup

if TYPE_CHECKING:
    from types_boto3_application_autoscaling.type_defs import (
        ScalableTargetTypeDef,
        TargetTrackingScalingPolicyConfigurationTypeDef,
    )

ECS: Literal["ecs"] = "ecs"
DIMENSION: Literal["ecs:service:DesiredCount"] = "ecs:service:DesiredCount"
IN_SECONDS, OUT_SECONDS = 300, 60
"""More tasks come quickly and go slowly."""


@translate_errors("application-autoscaling")
@dataclass(frozen=True, eq=False)
class ServiceAutoscaling(Step[FargateCloud, None]):
    """The number of tasks follows the load."""

    kind: ClassVar[str] = "autoscaling"
    title: ClassVar[str] = "Scale with the load"

    app: str
    goal: AutoscalingSpec
    service: EcsService
    balancer: LoadBalancer | None = None
    targets: TargetGroup | None = None

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[None] | None:
        target = describe_scaling(cloud, self.app)
        return Seen(None, tuple(self._drift(cloud, target, outs))) if target else None

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[None] | None, monitor: Monitor) -> None:
        register_scaling(cloud, self.app, self.goal.least, self.goal.most)
        for policy in _list_policies(cloud, self.app):
            if policy != self._policy():
                _delete_policy(cloud, self.app, policy)
        cloud.scaling.put_scaling_policy(
            PolicyName=self._policy(),
            ServiceNamespace=ECS,
            ResourceId=resource_id(self.app),
            ScalableDimension=DIMENSION,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=self._tracking(outs),
        )

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Its policies and their alarms go with it."""
        if describe_scaling(cloud, key.name) is None:
            return False
        with ignore_codes("ObjectNotFoundException"):
            cloud.scaling.deregister_scalable_target(
                ServiceNamespace=ECS, ResourceId=resource_id(key.name), ScalableDimension=DIMENSION
            )
        return True

    def _policy(self) -> str:
        return f"{resource_name(self.app)}-{'requests' if self.goal.requests else 'cpu'}"

    def _tracking(self, outs: Outputs) -> TargetTrackingScalingPolicyConfigurationTypeDef:
        cooldown = {"ScaleInCooldown": IN_SECONDS, "ScaleOutCooldown": OUT_SECONDS}
        if not self.goal.requests:
            metric = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
            return {"TargetValue": float(self.goal.cpu), "PredefinedMetricSpecification": metric, **cooldown}  # type: ignore[typeddict-item]
        assert self.balancer is not None and self.targets is not None  # noqa: S101, PT018 - settings.check sees to it
        label = "/".join((outs[self.balancer].arn.partition("loadbalancer/")[2], outs[self.targets].rpartition(":")[2]))
        metric = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}
        return {"TargetValue": float(self.goal.requests), "PredefinedMetricSpecification": metric, **cooldown}  # type: ignore[typeddict-item]

    def _drift(self, cloud: FargateCloud, target: ScalableTargetTypeDef, outs: Outputs) -> Iterator[str]:
        current, desired = (target["MinCapacity"], target["MaxCapacity"]), (self.goal.least, self.goal.most)
        if current != desired:
            yield f"{current[0]} to {current[1]} tasks → {desired[0]} to {desired[1]}"
        if target.get("SuspendedState", {}).get("DynamicScalingOutSuspended"):
            yield "suspended → on"
        goal, unit = self.goal.requests or self.goal.cpu, "requests a minute" if self.goal.requests else "% CPU"
        if _list_policies(cloud, self.app) != {self._policy(): float(goal)}:
            yield f"scaling policy → {goal} {unit}"


def resource_id(app: str) -> str:
    """The service, as autoscaling calls it."""
    return f"service/{resource_name(app)}/{resource_name(app)}"


def describe_scaling(cloud: FargateCloud, app: str) -> ScalableTargetTypeDef | None:
    """Whether the app's service is scaled. Whoever arranged it: it is a part of our service, and goes with it."""
    response = cloud.scaling.describe_scalable_targets(
        ServiceNamespace=ECS, ResourceIds=[resource_id(app)], ScalableDimension=DIMENSION
    )
    return next(iter(response["ScalableTargets"]), None)


def register_scaling(cloud: FargateCloud, app: str, least: int, most: int, *, suspended: bool = False) -> None:
    """Let the number of tasks be scaled between the two, or leave it alone for now."""
    state = {
        "DynamicScalingInSuspended": suspended,
        "DynamicScalingOutSuspended": suspended,
        "ScheduledScalingSuspended": suspended,
    }
    exists = describe_scaling(cloud, app) is not None
    tags = {} if exists else {"Tags": owner_tags(app)}  # AWS refuses them for a target that is registered already
    cloud.scaling.register_scalable_target(
        ServiceNamespace=ECS,
        ResourceId=resource_id(app),
        ScalableDimension=DIMENSION,
        MinCapacity=least,
        MaxCapacity=most,
        SuspendedState=state,  # type: ignore[arg-type]
        **tags,  # type: ignore[arg-type]
    )


def suspend_scaling(cloud: FargateCloud, app: str) -> None:
    """Leave the number of tasks alone until the next deployment."""
    target = describe_scaling(cloud, app)
    if target:
        register_scaling(cloud, app, target["MinCapacity"], target["MaxCapacity"], suspended=True)


def _list_policies(cloud: FargateCloud, app: str) -> dict[str, float]:
    """The scaling policies by name, with what they keep to."""
    policies = cloud.scaling.describe_scaling_policies(
        ServiceNamespace=ECS, ResourceId=resource_id(app), ScalableDimension=DIMENSION
    )["ScalingPolicies"]
    return {
        each["PolicyName"]: each.get("TargetTrackingScalingPolicyConfiguration", {"TargetValue": 0.0})["TargetValue"]
        for each in policies
    }


def _delete_policy(cloud: FargateCloud, app: str, policy: str) -> None:
    with ignore_codes("ObjectNotFoundException"):
        cloud.scaling.delete_scaling_policy(
            PolicyName=policy, ServiceNamespace=ECS, ResourceId=resource_id(app), ScalableDimension=DIMENSION
        )
