"""Where the tasks run: a VPC and public subnets of it. They are found, never made.

https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.answers import passing, speaking_to
from mldeploy.providers.aws.fargate.cloud import FargateCloud


class NetworkError(MldeployError):
    """The account has no network in which the tasks could be reached, or not the one that was named."""

    code = ExitCode.REMOTE


@dataclass(frozen=True)
class Subnets:
    """Where tasks can be placed. subnets: ids, sorted. zones: how many availability zones they are in."""

    vpc: str
    subnets: tuple[str, ...]
    zones: int


@speaking_to("ec2")
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
        found = self._named(cloud) if self.subnets else _default(cloud)
        return Seen(found, ours=False) if found else None

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[Subnets] | None, monitor: Monitor) -> Subnets:
        """Only reached where there is none: raises NetworkError."""
        if self.subnets:
            what = f"{cloud.account.region} has no subnets {', '.join(self.subnets)}, all in one VPC"
            raise NetworkError("target.fargate.subnets", what, "Name public subnets of one VPC.")
        what = f"the account {cloud.account.id} has no default VPC with public subnets there"
        todo = "Make one with `aws ec2 create-default-vpc`, or name public subnets: `subnets` in [target.fargate]."
        raise NetworkError(f"region {cloud.account.region}", what, todo)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """The network was there before us."""
        return False

    def _named(self, cloud: FargateCloud) -> Subnets | None:
        with passing("InvalidSubnetID.NotFound", "InvalidSubnetId.Malformed", "InvalidSubnetID.Malformed"):
            found = cloud.ec2.describe_subnets(SubnetIds=list(self.subnets))["Subnets"]
            vpcs = {each["VpcId"] for each in found}
            if len(vpcs) == 1:
                return Subnets(
                    vpcs.pop(), tuple(sorted(set(self.subnets))), len({each["AvailabilityZone"] for each in found})
                )
        return None


def _default(cloud: FargateCloud) -> Subnets | None:
    vpcs = cloud.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not vpcs:
        return None
    vpc = vpcs[0]["VpcId"]
    found = cloud.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    public = [each for each in found if each["MapPublicIpOnLaunch"]]
    zones = len({each["AvailabilityZone"] for each in public})
    return Subnets(vpc, tuple(sorted(each["SubnetId"] for each in public)), zones) if public else None
