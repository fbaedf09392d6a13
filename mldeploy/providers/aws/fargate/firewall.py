"""Security groups: who may reach what. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.answers import passing, speaking_to
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.network import Network
from mldeploy.providers.aws.fargate.tags import belonging, is_ours, name, read
from mldeploy.providers.aws.fargate.waiting import until_gone

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpPermissionOutputTypeDef, IpPermissionTypeDef, SecurityGroupTypeDef

TASKS = "tasks"
BALANCER = "load-balancer"


@dataclass(frozen=True, order=True)
class Rule:
    """Lets TCP in. source: a CIDR block, or the id of a security group. first and last: the ports; all are 0 to 65535.

    protocol: "tcp" for every rule of ours; what else there is, is only ever removed.
    """

    source: str
    first: int
    last: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        ports = f"port {self.first}" if self.first == self.last else f"ports {self.first} to {self.last}"
        return f"{ports if self.protocol == 'tcp' else f'protocol {self.protocol}, {ports}'} for {self.source}"


@dataclass(frozen=True)
class Group:
    """A security group that exists, and the rules that it should not have."""

    id: str
    surplus: tuple[Rule, ...] = ()


@speaking_to("ec2")
@dataclass(frozen=True, eq=False)
class SecurityGroup(Step[FargateCloud, Group]):
    """What may reach the app (or its load balancer) is let in. Nothing that it serves now is shut out."""

    kind: ClassVar[str] = "security-group"
    title: ClassVar[str] = "Open the port"

    app: str
    purpose: str
    """What is behind it: the tasks, or the load balancer."""
    ports: tuple[int, ...]
    network: Network
    source: str | SecurityGroup
    """A CIDR block, or the group of what may come in."""

    def key(self) -> Key:
        return Key(self.purpose, (self.app,))

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[Group] | None:
        network = outs.get(self.network)
        if network is None:
            return None
        group = _in_vpc(cloud, self.key(), network.vpc)
        if group is None:
            return None
        wanted, rules = self._wanted(outs), set(rules_of(group))
        drift = () if wanted is None else tuple(f"open {rule}" for rule in sorted(wanted - rules))
        surplus = tuple(sorted(rules - (wanted or set())))
        return Seen(Group(group["GroupId"], surplus), drift, ours=_is_ours(group, self.app))

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[Group] | None, monitor: Monitor) -> Group:
        group = seen.out if seen else Group(self._create(cloud, outs))
        known = set() if seen is None else set(_rules(cloud, group.id))
        for rule in sorted((self._wanted(outs) or set()) - known):
            with passing("InvalidPermission.Duplicate"):
                cloud.ec2.authorize_security_group_ingress(GroupId=group.id, IpPermissions=[permission(rule)])
        return group

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Interfaces that still hold it are waited for: they go a little after their task or load balancer."""
        found = _of(cloud, key)
        for group in found:
            monitor.progress(Progress("", f"waiting until nothing uses {group['GroupName']}"))
            until_gone(monitor, str(key), lambda group=group: _deleted(cloud, group["GroupId"]))  # type: ignore[misc]
        return bool(found)

    def _create(self, cloud: FargateCloud, outs: Outputs) -> str:
        vpc, called = outs[self.network].vpc, name(self.app, self.purpose)
        with passing("InvalidGroup.Duplicate"):
            return cloud.ec2.create_security_group(
                GroupName=called,
                Description=f"{self.app} on Fargate: {self.purpose}",
                VpcId=vpc,
                TagSpecifications=[
                    {
                        "ResourceType": "security-group",
                        "Tags": [{"Key": key, "Value": value} for key, value in belonging(self.app).items()],
                    }
                ],
            )["GroupId"]
        group = _in_vpc(cloud, self.key(), vpc)
        if group is None or not _is_ours(group, self.app):
            raise RefusedError(called, "exists, and mldeploy did not make it", "Delete or rename it.")
        return group["GroupId"]

    def _wanted(self, outs: Outputs) -> set[Rule] | None:
        """None while the group that may come in does not exist."""
        source = self.source if isinstance(self.source, str) else getattr(outs.get(self.source), "id", None)
        return None if source is None else {Rule(source, port, port) for port in self.ports}


def rules_of(group: SecurityGroupTypeDef) -> Iterator[Rule]:
    """What a group lets in."""
    for allowed in group["IpPermissions"]:
        first, last = allowed.get("FromPort", 0), allowed.get("ToPort", 65535)
        for source in _sources(allowed):
            yield Rule(source, first, last, allowed["IpProtocol"])


def permission(rule: Rule) -> IpPermissionTypeDef:
    """A rule as the API takes it."""
    ports: IpPermissionTypeDef = {"IpProtocol": rule.protocol, "FromPort": rule.first, "ToPort": rule.last}
    if rule.protocol == "-1":
        ports = {"IpProtocol": "-1"}
    if rule.source.startswith("sg-"):
        return {**ports, "UserIdGroupPairs": [{"GroupId": rule.source}]}
    if rule.source.startswith("pl-"):
        return {**ports, "PrefixListIds": [{"PrefixListId": rule.source}]}
    if ":" in rule.source:
        return {**ports, "Ipv6Ranges": [{"CidrIpv6": rule.source}]}
    return {**ports, "IpRanges": [{"CidrIp": rule.source}]}


def close(cloud: FargateCloud, group: str, rules: Iterable[Rule]) -> None:
    """Let nobody in by these rules any more."""
    for rule in rules:
        with passing("InvalidPermission.NotFound"):
            cloud.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission(rule)])


def id_of(cloud: FargateCloud, app: str, purpose: str) -> str:
    """The id of the app's own group for that purpose. Raises RefusedError if there is none."""
    for group in _of(cloud, Key(purpose, (app,))):
        return group["GroupId"]
    raise RefusedError(name(app, purpose), "is not there", "Deploy again: that makes it anew.")


def open_for(cloud: FargateCloud, app: str, port: int, source: str) -> None:
    """Let the source in to this port of the tasks, if it is not."""
    for group in _of(cloud, Key(TASKS, (app,))):
        rule = Rule(source, port, port)
        if rule not in set(rules_of(group)):
            with passing("InvalidPermission.Duplicate"):
                cloud.ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[permission(rule)])


def purposes(cloud: FargateCloud, app: str) -> list[str]:
    """The purposes for which the app has groups, by tag."""
    prefix = name(app) + "-"
    return [group["GroupName"].removeprefix(prefix) for group in _tagged(cloud, app)]


def _sources(allowed: IpPermissionOutputTypeDef) -> Iterator[str]:
    yield from (each["CidrIp"] for each in allowed.get("IpRanges", ()))
    yield from (each["CidrIpv6"] for each in allowed.get("Ipv6Ranges", ()))
    yield from (each["GroupId"] for each in allowed.get("UserIdGroupPairs", ()))
    yield from (each["PrefixListId"] for each in allowed.get("PrefixListIds", ()))


def _rules(cloud: FargateCloud, group: str) -> Iterator[Rule]:
    for each in cloud.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]:
        yield from rules_of(each)


def _in_vpc(cloud: FargateCloud, key: Key, vpc: str) -> SecurityGroupTypeDef | None:
    called = name(key.scope[0], key.name)
    named = [{"Name": "group-name", "Values": [called]}, {"Name": "vpc-id", "Values": [vpc]}]
    return next(iter(cloud.ec2.describe_security_groups(Filters=named)["SecurityGroups"]), None)  # type: ignore[arg-type]


def _of(cloud: FargateCloud, key: Key) -> list[SecurityGroupTypeDef]:
    called = name(key.scope[0], key.name)
    return [group for group in _tagged(cloud, key.scope[0]) if group["GroupName"] == called]


def _tagged(cloud: FargateCloud, app: str) -> list[SecurityGroupTypeDef]:
    tagged = [{"Name": f"tag:{tag}", "Values": [value]} for tag, value in belonging(app).items()]
    return cloud.ec2.describe_security_groups(Filters=tagged)["SecurityGroups"]  # type: ignore[arg-type]


def _is_ours(group: SecurityGroupTypeDef, app: str) -> bool:
    return is_ours(read(group.get("Tags", ())), app)


def _deleted(cloud: FargateCloud, group: str) -> bool:
    with passing("DependencyViolation", "InvalidGroup.InUse"):
        with passing("InvalidGroup.NotFound", "InvalidGroupId.Malformed"):
            cloud.ec2.delete_security_group(GroupId=group)
        return True
    return False
