"""The target group: to which tasks the load balancer sends requests, and how it knows that they are healthy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.answers import passing, speaking_to
from mldeploy.providers.aws.fargate.balancer import tagged
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.network import Network
from mldeploy.providers.aws.fargate.tags import belonging, name
from mldeploy.providers.aws.fargate.waiting import until_gone

if TYPE_CHECKING:
    from types_boto3_elbv2.type_defs import TargetGroupTypeDef

NAME_LENGTH = 32
DRAIN_SECONDS = "30"
"""What an old task has accepted is finished within this time; AWS's own choice is five minutes."""
DRAIN = "deregistration_delay.timeout_seconds"
INTERVAL, TIMEOUT, HEALTHY, UNHEALTHY = 5, 4, 2, 3


@speaking_to("elasticloadbalancing")
@dataclass(frozen=True, eq=False)
class TargetGroup(Step[FargateCloud, str]):
    """The tasks behind the load balancer, asked for their health at the app's own path. Its output is the ARN."""

    kind: ClassVar[str] = "target-group"
    title: ClassVar[str] = "Create the target group"

    app: str
    port: int
    health: str
    network: Network

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[str] | None:
        found = find(cloud, self.app)
        if found is None:
            return None
        arn, network = found["TargetGroupArn"], outs.get(self.network)
        replace = (f"{found['VpcId']} → {network.vpc}",) if network and found["VpcId"] != network.vpc else ()
        return Seen(arn, tuple(self._drift(cloud, found)), replace, ours=tagged(cloud, arn, self.app))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[str] | None, monitor: Monitor) -> str:
        arn = seen.out if seen else self._create(cloud, outs[self.network].vpc)
        if seen:
            cloud.elb.modify_target_group(
                TargetGroupArn=arn,
                HealthCheckPath=self.health,
                HealthCheckIntervalSeconds=INTERVAL,
                HealthCheckTimeoutSeconds=TIMEOUT,
                HealthyThresholdCount=HEALTHY,
                UnhealthyThresholdCount=UNHEALTHY,
                Matcher={"HttpCode": "200-299"},
            )
        cloud.elb.modify_target_group_attributes(
            TargetGroupArn=arn, Attributes=[{"Key": DRAIN, "Value": DRAIN_SECONDS}]
        )
        return arn

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        found = find(cloud, key.name)
        if found is None or not tagged(cloud, found["TargetGroupArn"], key.name):
            return False
        until_gone(monitor, f"target group {name_of(key.name)}", lambda: _deleted(cloud, found["TargetGroupArn"]))
        return True

    def _create(self, cloud: FargateCloud, vpc: str) -> str:
        """Each task is registered with the port that it listens on; the group's own is only what the API wants."""
        with passing("DuplicateTargetGroupName"):
            cloud.elb.create_target_group(
                Name=name_of(self.app),
                Protocol="HTTP",
                Port=self.port,
                VpcId=vpc,
                TargetType="ip",
                HealthCheckProtocol="HTTP",
                HealthCheckPath=self.health,
                HealthCheckIntervalSeconds=INTERVAL,
                HealthCheckTimeoutSeconds=TIMEOUT,
                HealthyThresholdCount=HEALTHY,
                UnhealthyThresholdCount=UNHEALTHY,
                Matcher={"HttpCode": "200-299"},
                Tags=[{"Key": key, "Value": value} for key, value in belonging(self.app).items()],
            )
        found = find(cloud, self.app)
        if found is None or not tagged(cloud, found["TargetGroupArn"], self.app):
            raise RefusedError(name_of(self.app), "was made by somebody else meanwhile", "Delete or rename it.")
        return found["TargetGroupArn"]

    def _drift(self, cloud: FargateCloud, found: TargetGroupTypeDef) -> Iterator[str]:
        if found["HealthCheckPath"] != self.health:
            yield f"health path {found['HealthCheckPath']} → {self.health}"
        asked = (found["HealthCheckIntervalSeconds"], found["HealthyThresholdCount"], found["UnhealthyThresholdCount"])
        if asked != (INTERVAL, HEALTHY, UNHEALTHY):
            yield "how often health is asked → mldeploy's"
        told = cloud.elb.describe_target_group_attributes(TargetGroupArn=found["TargetGroupArn"])["Attributes"]
        drain = next((each["Value"] for each in told if each["Key"] == DRAIN), "")
        if drain != DRAIN_SECONDS:
            yield f"{drain} s to finish requests → {DRAIN_SECONDS} s"


def name_of(app: str) -> str:
    return name(app, limit=NAME_LENGTH)


def find(cloud: FargateCloud, app: str) -> TargetGroupTypeDef | None:
    """The app's target group, whoever made it."""
    with passing("TargetGroupNotFound"):
        return next(iter(cloud.elb.describe_target_groups(Names=[name_of(app)])["TargetGroups"]), None)
    return None


def is_there(cloud: FargateCloud, app: str) -> bool:
    """The app has a target group that is ours."""
    found = find(cloud, app)
    return found is not None and tagged(cloud, found["TargetGroupArn"], app)


def complaints(cloud: FargateCloud, app: str) -> list[str]:
    """What the load balancer has against targets that it does not find healthy."""
    found = find(cloud, app)
    if found is None:
        return []
    targets = cloud.elb.describe_target_health(TargetGroupArn=found["TargetGroupArn"])["TargetHealthDescriptions"]
    unhealthy = (each["TargetHealth"] for each in targets if each["TargetHealth"]["State"] == "unhealthy")
    return [each.get("Description") or each.get("Reason", "") for each in unhealthy]


def healthy(cloud: FargateCloud, app: str) -> bool:
    """At least one task gets requests."""
    found = find(cloud, app)
    if found is None:
        return False
    targets = cloud.elb.describe_target_health(TargetGroupArn=found["TargetGroupArn"])["TargetHealthDescriptions"]
    return any(each["TargetHealth"]["State"] == "healthy" for each in targets)


def _deleted(cloud: FargateCloud, arn: str) -> bool:
    with passing("ResourceInUse"):
        with passing("TargetGroupNotFound"):
            cloud.elb.delete_target_group(TargetGroupArn=arn)
        return True
    return False
