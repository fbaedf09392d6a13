"""Autoscaling: so many tasks as the load asks for. https://docs.aws.amazon.com/autoscaling/application/userguide/"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.answers import passing, speaking_to
from mldeploy.providers.aws.fargate.balancer import LoadBalancer
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.scaling import Goal
from mldeploy.providers.aws.fargate.service import Service
from mldeploy.providers.aws.fargate.tags import belonging, name
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


@speaking_to("application-autoscaling")
@dataclass(frozen=True, eq=False)
class Autoscaling(Step[FargateCloud, None]):
    """The number of tasks follows the load."""

    kind: ClassVar[str] = "autoscaling"
    title: ClassVar[str] = "Scale with the load"

    app: str
    goal: Goal
    service: Service
    balancer: LoadBalancer | None = None
    targets: TargetGroup | None = None

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[None] | None:
        found = find(cloud, self.app)
        return Seen(None, tuple(self._drift(cloud, found, outs))) if found else None

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[None] | None, monitor: Monitor) -> None:
        register(cloud, self.app, self.goal.least, self.goal.most)
        for policy in _policies(cloud, self.app):
            if policy != self._policy():
                _forget(cloud, self.app, policy)
        cloud.scaling.put_scaling_policy(
            PolicyName=self._policy(),
            ServiceNamespace=ECS,
            ResourceId=resource(self.app),
            ScalableDimension=DIMENSION,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration=self._tracking(outs),
        )

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Its policies and their alarms go with it."""
        if find(cloud, key.name) is None:
            return False
        with passing("ObjectNotFoundException"):
            cloud.scaling.deregister_scalable_target(
                ServiceNamespace=ECS, ResourceId=resource(key.name), ScalableDimension=DIMENSION
            )
        return True

    def _policy(self) -> str:
        return f"{name(self.app)}-{'requests' if self.goal.requests else 'cpu'}"

    def _tracking(self, outs: Outputs) -> TargetTrackingScalingPolicyConfigurationTypeDef:
        cooldown = {"ScaleInCooldown": IN_SECONDS, "ScaleOutCooldown": OUT_SECONDS}
        if not self.goal.requests:
            metric = {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
            return {"TargetValue": float(self.goal.cpu), "PredefinedMetricSpecification": metric, **cooldown}  # type: ignore[typeddict-item]
        assert self.balancer is not None and self.targets is not None  # noqa: S101, PT018 - settings.check sees to it
        label = "/".join((outs[self.balancer].arn.partition("loadbalancer/")[2], outs[self.targets].rpartition(":")[2]))
        metric = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}
        return {"TargetValue": float(self.goal.requests), "PredefinedMetricSpecification": metric, **cooldown}  # type: ignore[typeddict-item]

    def _drift(self, cloud: FargateCloud, found: ScalableTargetTypeDef, outs: Outputs) -> Iterator[str]:
        was, wanted = (found["MinCapacity"], found["MaxCapacity"]), (self.goal.least, self.goal.most)
        if was != wanted:
            yield f"{was[0]} to {was[1]} tasks → {wanted[0]} to {wanted[1]}"
        if found.get("SuspendedState", {}).get("DynamicScalingOutSuspended"):
            yield "suspended → on"
        kept, unit = self.goal.requests or self.goal.cpu, "requests a minute" if self.goal.requests else "% CPU"
        if _policies(cloud, self.app) != {self._policy(): float(kept)}:
            yield f"scaling policy → {kept} {unit}"


def resource(app: str) -> str:
    """The service, as autoscaling calls it."""
    return f"service/{name(app)}/{name(app)}"


def find(cloud: FargateCloud, app: str) -> ScalableTargetTypeDef | None:
    """Whether the app's service is scaled. Whoever arranged it: it is a part of our service, and goes with it."""
    found = cloud.scaling.describe_scalable_targets(
        ServiceNamespace=ECS, ResourceIds=[resource(app)], ScalableDimension=DIMENSION
    )
    return next(iter(found["ScalableTargets"]), None)


def register(cloud: FargateCloud, app: str, least: int, most: int, *, suspended: bool = False) -> None:
    """Let the number of tasks be scaled between the two, or leave it alone for now."""
    state = {
        "DynamicScalingInSuspended": suspended,
        "DynamicScalingOutSuspended": suspended,
        "ScheduledScalingSuspended": suspended,
    }
    known = find(cloud, app) is not None
    tags = {} if known else {"Tags": belonging(app)}  # AWS refuses them for a target that is registered already
    cloud.scaling.register_scalable_target(
        ServiceNamespace=ECS,
        ResourceId=resource(app),
        ScalableDimension=DIMENSION,
        MinCapacity=least,
        MaxCapacity=most,
        SuspendedState=state,  # type: ignore[arg-type]
        **tags,  # type: ignore[arg-type]
    )


def suspend(cloud: FargateCloud, app: str) -> None:
    """Leave the number of tasks alone until the next deployment."""
    found = find(cloud, app)
    if found:
        register(cloud, app, found["MinCapacity"], found["MaxCapacity"], suspended=True)


def _policies(cloud: FargateCloud, app: str) -> dict[str, float]:
    """The scaling policies by name, with what they keep to."""
    found = cloud.scaling.describe_scaling_policies(
        ServiceNamespace=ECS, ResourceId=resource(app), ScalableDimension=DIMENSION
    )["ScalingPolicies"]
    return {
        each["PolicyName"]: each.get("TargetTrackingScalingPolicyConfiguration", {"TargetValue": 0.0})["TargetValue"]
        for each in found
    }


def _forget(cloud: FargateCloud, app: str, policy: str) -> None:
    with passing("ObjectNotFoundException"):
        cloud.scaling.delete_scaling_policy(
            PolicyName=policy, ServiceNamespace=ECS, ResourceId=resource(app), ScalableDimension=DIMENSION
        )
