"""Where the tasks run: a VPC and public subnets of it. mldeploy uses existing ones and creates none.

https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.account import AwsAccount
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import SubnetTypeDef


class NetworkError(MldeployError):
    """The account has no network in which the tasks could be reached, or not the one that was named."""

    code = ExitCode.REMOTE


@dataclass(frozen=True)
class Subnets:
    """Where tasks can be placed. subnets: ids, sorted. one_per_zone: of each availability zone the first of them."""

    vpc: str
    subnets: tuple[str, ...]
    one_per_zone: tuple[str, ...]

    @property
    def zones(self) -> int:
        return len(self.one_per_zone)


@translate_errors("ec2")
@dataclass(frozen=True, eq=False)
class Network(Step[FargateCloud, Subnets]):
    """The subnets that the settings name, or the public ones of the region's default VPC."""

    kind: ClassVar[str] = "network"
    title: ClassVar[str] = "Find the network"
    stays: ClassVar[bool] = True

    app: str
    subnets: tuple[str, ...] = ()

    def key(self) -> Key:
        return Key(self.app)

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[Subnets] | None:
        subnets = find_subnets(cloud.ec2, self.subnets)
        return Seen(subnets, ours=False) if subnets else None

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[Subnets] | None, monitor: Monitor) -> Subnets:
        """Only reached where there is none: raises NetworkError."""
        raise missing_network(cloud.account, self.subnets)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """The network was there before us."""
        return False


def find_subnets(ec2: EC2Client, subnets: tuple[str, ...]) -> Subnets | None:
    """The subnets of these ids, or the public ones of the default VPC if none are named; None if there are none."""
    return _find_named(ec2, subnets) if subnets else _find_default(ec2)


def missing_network(account: AwsAccount, subnets: tuple[str, ...]) -> NetworkError:
    """What to say where there are none."""
    if subnets:
        what = f"{account.region} has no subnets {', '.join(subnets)}, all in one VPC"
        return NetworkError("target.fargate.subnets", what, "Name public subnets of one VPC.")
    what = f"the account {account.id} has no default VPC with public subnets there"
    todo = "Make one with `aws ec2 create-default-vpc`, or name public subnets: `subnets` in [target.fargate]."
    return NetworkError(f"region {account.region}", what, todo)


def single_zone(network: Subnets) -> NetworkError:
    """What to say where a load balancer cannot be."""
    todo = "Name subnets in two of them: `subnets` in [target.fargate]."
    return NetworkError(network.vpc, "a load balancer needs two availability zones, and the subnets have one", todo)


def _find_named(ec2: EC2Client, subnets: tuple[str, ...]) -> Subnets | None:
    with ignore_codes("InvalidSubnetID.NotFound", "InvalidSubnetId.Malformed", "InvalidSubnetID.Malformed"):
        descriptions = ec2.describe_subnets(SubnetIds=list(subnets))["Subnets"]
        vpcs = {each["VpcId"] for each in descriptions}
        if len(vpcs) == 1:
            return _build_subnets(vpcs.pop(), descriptions)
    return None


def _find_default(ec2: EC2Client) -> Subnets | None:
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not vpcs:
        return None
    vpc = vpcs[0]["VpcId"]
    descriptions = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    public = [each for each in descriptions if each["MapPublicIpOnLaunch"]]
    return _build_subnets(vpc, public) if public else None


def _build_subnets(vpc: str, descriptions: Iterable[SubnetTypeDef]) -> Subnets:
    ordered = sorted(descriptions, key=lambda each: each["SubnetId"])
    first_of_zone = {each["AvailabilityZone"]: each["SubnetId"] for each in reversed(ordered)}
    return Subnets(vpc, tuple(each["SubnetId"] for each in ordered), tuple(sorted(first_of_zone.values())))
