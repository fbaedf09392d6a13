"""The target group: the tasks that the load balancer sends requests to, and their health check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.balancer import has_owner_tags
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors, wait_until_gone
from mldeploy.providers.aws.fargate.network import Network
from mldeploy.providers.aws.fargate.tags import owner_tags, resource_name

if TYPE_CHECKING:
    from types_boto3_elbv2.type_defs import TargetGroupTypeDef

NAME_LENGTH = 32
DRAIN_SECONDS = "30"
"""What an old task has accepted is finished within this time; AWS's own choice is five minutes."""
DRAIN = "deregistration_delay.timeout_seconds"
STICKY, STICKY_TYPE = "stickiness.enabled", "stickiness.type"
INTERVAL, TIMEOUT, HEALTHY, UNHEALTHY = 5, 4, 2, 3


@translate_errors("elasticloadbalancing")
@dataclass(frozen=True, eq=False)
class TargetGroup(Step[FargateCloud, str]):
    """The target group of the tasks, with a health check at the app's health path. The output is the ARN."""

    kind: ClassVar[str] = "target-group"
    title: ClassVar[str] = "Create the target group"

    app: str
    port: int
    health: str
    network: Network
    sticky: bool = False
    """A client reaches the same task each time, by a cookie."""
    purpose: str = ""
    """"" for the service's tasks, or what else is in it."""

    def key(self) -> Key:
        return target_group_key(self.app, self.purpose)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[str] | None:
        existing = find_target_group(cloud, self.app, self.purpose)
        if existing is None:
            return None
        arn, network = existing["TargetGroupArn"], outs.get(self.network)
        replace = (f"{existing['VpcId']} → {network.vpc}",) if network and existing["VpcId"] != network.vpc else ()
        return Seen(arn, tuple(self._drift(cloud, existing)), replace, ours=has_owner_tags(cloud, arn, self.app))

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
            TargetGroupArn=arn,
            Attributes=[{"Key": key, "Value": value} for key, value in self._attributes().items()],
        )
        return arn

    def _attributes(self) -> dict[str, str]:
        sticky = {STICKY: "true", STICKY_TYPE: "lb_cookie"} if self.sticky else {}
        return {DRAIN: DRAIN_SECONDS, **sticky}

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        app, purpose = key_purpose(key)
        existing = find_target_group(cloud, app, purpose)
        if existing is None or not has_owner_tags(cloud, existing["TargetGroupArn"], app):
            return False
        wait_until_gone(
            monitor,
            f"target group {target_group_name(app, purpose)}",
            lambda: _try_delete(cloud, existing["TargetGroupArn"]),
        )
        return True

    def _create(self, cloud: FargateCloud, vpc: str) -> str:
        """Each task is registered with the port that it listens on; the group's own is only what the API wants."""
        with ignore_codes("DuplicateTargetGroupName"):
            cloud.elb.create_target_group(
                Name=target_group_name(self.app, self.purpose),
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
                Tags=[{"Key": key, "Value": value} for key, value in owner_tags(self.app).items()],
            )
        created = find_target_group(cloud, self.app, self.purpose)
        if created is None or not has_owner_tags(cloud, created["TargetGroupArn"], self.app):
            raise RefusedError(
                target_group_name(self.app, self.purpose), "was made by somebody else meanwhile", "Delete or rename it."
            )
        return created["TargetGroupArn"]

    def _drift(self, cloud: FargateCloud, existing: TargetGroupTypeDef) -> Iterator[str]:
        if existing["HealthCheckPath"] != self.health:
            yield f"health path {existing['HealthCheckPath']} → {self.health}"
        timing = (
            existing["HealthCheckIntervalSeconds"],
            existing["HealthyThresholdCount"],
            existing["UnhealthyThresholdCount"],
        )
        if timing != (INTERVAL, HEALTHY, UNHEALTHY):
            yield "health check timing → mldeploy's"
        attributes = cloud.elb.describe_target_group_attributes(TargetGroupArn=existing["TargetGroupArn"])["Attributes"]
        values = {each["Key"]: each["Value"] for each in attributes}
        if values.get(DRAIN, "") != DRAIN_SECONDS:
            yield f"{values.get(DRAIN, '')} s to finish requests → {DRAIN_SECONDS} s"
        if self.sticky and values.get(STICKY) != "true":
            yield "requests of a session to any task → to one task"


def key_purpose(key: Key) -> tuple[str, str]:
    """The app, and the purpose, of what there may be several of."""
    return (key.scope[0], key.name) if key.scope else (key.name, "")


def target_group_key(app: str, purpose: str = "") -> Key:
    return Key(purpose, (app,)) if purpose else Key(app)


def target_group_name(app: str, purpose: str = "") -> str:
    return resource_name(app, *filter(None, (purpose,)), limit=NAME_LENGTH)


def find_target_group(cloud: FargateCloud, app: str, purpose: str = "") -> TargetGroupTypeDef | None:
    """The app's target group for that purpose, whoever made it."""
    names = [target_group_name(app, purpose)]
    with ignore_codes("TargetGroupNotFound"):
        return next(iter(cloud.elb.describe_target_groups(Names=names)["TargetGroups"]), None)
    return None


def owned_target_group_exists(cloud: FargateCloud, app: str, purpose: str = "") -> bool:
    """The app has a target group for that purpose that is ours."""
    group = find_target_group(cloud, app, purpose)
    return group is not None and has_owner_tags(cloud, group["TargetGroupArn"], app)


def list_unhealthy_reasons(cloud: FargateCloud, app: str, purpose: str = "") -> list[str]:
    """What the load balancer has against targets that it does not find healthy."""
    group = find_target_group(cloud, app, purpose)
    if group is None:
        return []
    targets = cloud.elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    unhealthy = (each["TargetHealth"] for each in targets if each["TargetHealth"]["State"] == "unhealthy")
    return [each.get("Description") or each.get("Reason", "") for each in unhealthy]


def has_healthy_target(cloud: FargateCloud, app: str) -> bool:
    """At least one task gets requests."""
    group = find_target_group(cloud, app)
    if group is None:
        return False
    targets = cloud.elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    return any(each["TargetHealth"]["State"] == "healthy" for each in targets)


def _try_delete(cloud: FargateCloud, arn: str) -> bool:
    with ignore_codes("ResourceInUse"):
        with ignore_codes("TargetGroupNotFound"):
            cloud.elb.delete_target_group(TargetGroupArn=arn)
        return True
    return False
