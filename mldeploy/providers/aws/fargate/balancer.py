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
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors, wait_until_gone
from mldeploy.providers.aws.fargate.firewall import SecurityGroup
from mldeploy.providers.aws.fargate.network import Network, Subnets, single_zone
from mldeploy.providers.aws.fargate.tags import is_owned, owner_tags, read_tags, resource_name

if TYPE_CHECKING:
    from types_boto3_elbv2 import ElasticLoadBalancingv2Client
    from types_boto3_elbv2.type_defs import LoadBalancerTypeDef

NAME_LENGTH = 32
ACTIVE_SECONDS = 600.0
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class LoadBalancerInfo:
    """A load balancer that exists. dns: the name at which it answers."""

    arn: str
    dns: str


@translate_errors("elasticloadbalancing")
@dataclass(frozen=True, eq=False)
class LoadBalancer(Step[FargateCloud, LoadBalancerInfo]):
    """The app's own load balancer, in every zone of the network."""

    kind: ClassVar[str] = "load-balancer"
    title: ClassVar[str] = "Create the load balancer"

    app: str
    network: Network
    firewall: SecurityGroup

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[LoadBalancerInfo] | None:
        existing = find_balancer(cloud, self.app)
        if existing is None:
            return None
        out = LoadBalancerInfo(existing["LoadBalancerArn"], existing["DNSName"])
        return Seen(
            out,
            tuple(self._drift(existing, outs)),
            tuple(_list_immutable_drift(existing)),
            ours=has_owner_tags(cloud, out.arn, self.app),
        )

    def apply(
        self, cloud: FargateCloud, outs: Outputs, seen: Seen[LoadBalancerInfo] | None, monitor: Monitor
    ) -> LoadBalancerInfo:
        """Returns once it is active, which takes AWS two or three minutes."""
        network, group = outs[self.network], outs[self.firewall]
        if network.zones < 2:
            raise single_zone(network)
        balancer = seen.out if seen else self._create(cloud, network.one_per_zone, group.id)
        if seen and seen.drift:
            cloud.elb.set_security_groups(LoadBalancerArn=balancer.arn, SecurityGroups=[group.id])
            cloud.elb.set_subnets(LoadBalancerArn=balancer.arn, Subnets=list(network.one_per_zone))
        monitor.progress(Progress("", "waiting until it is active"))
        for _ in monitor.attempts(every=POLL_SECONDS, within=ACTIVE_SECONDS):
            existing = find_balancer(cloud, self.app)
            if existing and existing["State"]["Code"] == "active":
                return balancer
            if existing and existing["State"]["Code"] == "failed":
                break
        todo = "Run `mldeploy destroy`, and deploy again."
        raise AwsError(f"load balancer {balancer_name(self.app)}", "does not become active", todo)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Its listeners go with it."""
        existing = find_balancer(cloud, key.name)
        if existing is None or not has_owner_tags(cloud, existing["LoadBalancerArn"], key.name):
            return False
        cloud.elb.delete_load_balancer(LoadBalancerArn=existing["LoadBalancerArn"])
        wait_until_gone(
            monitor, f"load balancer {balancer_name(key.name)}", lambda: find_balancer(cloud, key.name) is None
        )
        return True

    def _create(self, cloud: FargateCloud, subnets: tuple[str, ...], group: str) -> LoadBalancerInfo:
        with ignore_codes("DuplicateLoadBalancerName"):
            cloud.elb.create_load_balancer(
                Name=balancer_name(self.app),
                Subnets=list(subnets),
                SecurityGroups=[group],
                Scheme="internet-facing",
                Type="application",
                Tags=[{"Key": key, "Value": value} for key, value in owner_tags(self.app).items()],
            )
        created = find_balancer(cloud, self.app)
        if created is None or not has_owner_tags(cloud, created["LoadBalancerArn"], self.app):
            raise RefusedError(balancer_name(self.app), "was made by somebody else meanwhile", "Delete or rename it.")
        return LoadBalancerInfo(created["LoadBalancerArn"], created["DNSName"])

    def _drift(self, existing: LoadBalancerTypeDef, outs: Outputs) -> Iterator[str]:
        network, group = outs.get(self.network), outs.get(self.firewall)
        if group and set(existing.get("SecurityGroups", ())) != {group.id}:
            yield "security group → the app's own"
        if network and not _covers(existing, network):
            yield "subnets → one in each zone of the network"
        if existing["State"]["Code"] == "provisioning":
            yield "provisioning → active"


def _covers(existing: LoadBalancerTypeDef, network: Subnets) -> bool:
    """Whether it has a subnet of the network in each zone. A zone may have several, and a load balancer takes one."""
    attached = {zone["SubnetId"] for zone in existing["AvailabilityZones"]}
    return attached <= set(network.subnets) and len(attached) == network.zones


def balancer_name(app: str) -> str:
    return resource_name(app, limit=NAME_LENGTH)


def find_balancer(cloud: FargateCloud, app: str) -> LoadBalancerTypeDef | None:
    """The app's load balancer, whoever made it."""
    return find_named_balancer(cloud.elb, app)


def find_named_balancer(elb: ElasticLoadBalancingv2Client, app: str) -> LoadBalancerTypeDef | None:
    """As `find_balancer`, without the other clients."""
    with ignore_codes("LoadBalancerNotFound"):
        return next(iter(elb.describe_load_balancers(Names=[balancer_name(app)])["LoadBalancers"]), None)
    return None


def has_owner_tags(cloud: FargateCloud, arn: str, app: str) -> bool:
    """Whether a thing of the load balancing service is ours."""
    with ignore_codes("LoadBalancerNotFound", "TargetGroupNotFound", "ListenerNotFound"):
        descriptions = cloud.elb.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        return any(is_owned(read_tags(each.get("Tags", ())), app) for each in descriptions)
    return False


def owned_balancer_exists(cloud: FargateCloud, app: str) -> bool:
    """The app has a load balancer that is ours."""
    existing = find_balancer(cloud, app)
    return existing is not None and has_owner_tags(cloud, existing["LoadBalancerArn"], app)


def _list_immutable_drift(existing: LoadBalancerTypeDef) -> Iterator[str]:
    if existing["Scheme"] != "internet-facing":
        yield f"{existing['Scheme']} → internet-facing"
