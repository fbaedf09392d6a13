"""The application load balancer: one address that stays, whatever becomes of the tasks behind it.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.errors import AwsError
from mldeploy.providers.aws.fargate.answers import passing, speaking_to
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.firewall import SecurityGroup
from mldeploy.providers.aws.fargate.network import Network, single_zone
from mldeploy.providers.aws.fargate.tags import belonging, is_ours, name, read
from mldeploy.providers.aws.fargate.waiting import until_gone

if TYPE_CHECKING:
    from types_boto3_elbv2.type_defs import LoadBalancerTypeDef

NAME_LENGTH = 32
ACTIVE_SECONDS = 600.0
LOOK_EVERY = 1.0


@dataclass(frozen=True)
class Balancer:
    """A load balancer that exists. dns: the name at which it answers."""

    arn: str
    dns: str


@speaking_to("elasticloadbalancing")
@dataclass(frozen=True, eq=False)
class LoadBalancer(Step[FargateCloud, Balancer]):
    """The app's own load balancer, in every zone of the network."""

    kind: ClassVar[str] = "load-balancer"
    title: ClassVar[str] = "Create the load balancer"

    app: str
    network: Network
    firewall: SecurityGroup

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[Balancer] | None:
        found = find(cloud, self.app)
        if found is None:
            return None
        out = Balancer(found["LoadBalancerArn"], found["DNSName"])
        return Seen(out, tuple(self._drift(found, outs)), tuple(_fixed(found)), ours=tagged(cloud, out.arn, self.app))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[Balancer] | None, monitor: Monitor) -> Balancer:
        """Returns once it is active, which takes AWS two or three minutes."""
        network, group = outs[self.network], outs[self.firewall]
        if network.zones < 2:
            raise single_zone(network)
        balancer = seen.out if seen else self._create(cloud, network.subnets, group.id)
        if seen and seen.drift:
            cloud.elb.set_security_groups(LoadBalancerArn=balancer.arn, SecurityGroups=[group.id])
            cloud.elb.set_subnets(LoadBalancerArn=balancer.arn, Subnets=list(network.subnets))
        monitor.progress(Progress("", "waiting until it is active"))
        for _ in monitor.attempts(every=LOOK_EVERY, within=ACTIVE_SECONDS):
            found = find(cloud, self.app)
            if found and found["State"]["Code"] == "active":
                return balancer
            if found and found["State"]["Code"] == "failed":
                break
        todo = "Run `mldeploy destroy`, and deploy again."
        raise AwsError(f"load balancer {name_of(self.app)}", "does not become active", todo)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Its listeners go with it."""
        found = find(cloud, key.name)
        if found is None or not tagged(cloud, found["LoadBalancerArn"], key.name):
            return False
        cloud.elb.delete_load_balancer(LoadBalancerArn=found["LoadBalancerArn"])
        until_gone(monitor, f"load balancer {name_of(key.name)}", lambda: find(cloud, key.name) is None)
        return True

    def _create(self, cloud: FargateCloud, subnets: tuple[str, ...], group: str) -> Balancer:
        with passing("DuplicateLoadBalancerName"):
            cloud.elb.create_load_balancer(
                Name=name_of(self.app),
                Subnets=list(subnets),
                SecurityGroups=[group],
                Scheme="internet-facing",
                Type="application",
                Tags=[{"Key": key, "Value": value} for key, value in belonging(self.app).items()],
            )
        found = find(cloud, self.app)
        if found is None or not tagged(cloud, found["LoadBalancerArn"], self.app):
            raise RefusedError(name_of(self.app), "was made by somebody else meanwhile", "Delete or rename it.")
        return Balancer(found["LoadBalancerArn"], found["DNSName"])

    def _drift(self, found: LoadBalancerTypeDef, outs: Outputs) -> Iterator[str]:
        network, group = outs.get(self.network), outs.get(self.firewall)
        if group and set(found.get("SecurityGroups", ())) != {group.id}:
            yield "security group → the app's own"
        if network and {zone["SubnetId"] for zone in found["AvailabilityZones"]} != set(network.subnets):
            yield "subnets → those of the network"
        if found["State"]["Code"] == "provisioning":
            yield "provisioning → active"


def name_of(app: str) -> str:
    return name(app, limit=NAME_LENGTH)


def find(cloud: FargateCloud, app: str) -> LoadBalancerTypeDef | None:
    """The app's load balancer, whoever made it."""
    with passing("LoadBalancerNotFound"):
        return next(iter(cloud.elb.describe_load_balancers(Names=[name_of(app)])["LoadBalancers"]), None)
    return None


def tagged(cloud: FargateCloud, arn: str, app: str) -> bool:
    """Whether a thing of the load balancing service is ours."""
    with passing("LoadBalancerNotFound", "TargetGroupNotFound", "ListenerNotFound"):
        found = cloud.elb.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        return any(is_ours(read(each.get("Tags", ())), app) for each in found)
    return False


def is_there(cloud: FargateCloud, app: str) -> bool:
    """The app has a load balancer that is ours."""
    found = find(cloud, app)
    return found is not None and tagged(cloud, found["LoadBalancerArn"], app)


def _fixed(found: LoadBalancerTypeDef) -> Iterator[str]:
    if found["Scheme"] != "internet-facing":
        yield f"{found['Scheme']} → internet-facing"
