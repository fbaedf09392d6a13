"""Security groups: who may reach what. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors, wait_until_gone
from mldeploy.providers.aws.fargate.network import Network
from mldeploy.providers.aws.fargate.tags import is_owned, owner_tags, read_tags, resource_name

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpPermissionOutputTypeDef, IpPermissionTypeDef, SecurityGroupTypeDef


TASKS = "tasks"
BALANCER = "load-balancer"


@dataclass(frozen=True, order=True)
class IngressRule:
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
class SecurityGroupInfo:
    """A security group that exists, and the rules that it should not have."""

    id: str
    surplus: tuple[IngressRule, ...] = ()


@translate_errors("ec2")
@dataclass(frozen=True, eq=False)
class SecurityGroup(Step[FargateCloud, SecurityGroupInfo]):
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

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[SecurityGroupInfo] | None:
        network = outs.get(self.network)
        if network is None:
            return None
        group = _find_in_vpc(cloud, self.key(), network.vpc)
        if group is None:
            return None
        desired, rules = self._list_desired_rules(outs), set(list_rules(group))
        drift = () if desired is None else tuple(f"open {rule}" for rule in sorted(desired - rules))
        surplus = tuple(sorted(rules - (desired or set())))
        return Seen(SecurityGroupInfo(group["GroupId"], surplus), drift, ours=_is_owned(group, self.app))

    def apply(
        self, cloud: FargateCloud, outs: Outputs, seen: Seen[SecurityGroupInfo] | None, monitor: Monitor
    ) -> SecurityGroupInfo:
        group = seen.out if seen else SecurityGroupInfo(self._create(cloud, outs))
        known = set() if seen is None else set(_read_rules(cloud, group.id))
        for rule in sorted((self._list_desired_rules(outs) or set()) - known):
            with ignore_codes("InvalidPermission.Duplicate"):
                cloud.ec2.authorize_security_group_ingress(GroupId=group.id, IpPermissions=[render_permission(rule)])
        return group

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """Interfaces that still hold it are waited for: they go a little after their task or load balancer."""
        groups = _find_groups(cloud, key)
        for group in groups:
            monitor.progress(Progress("", f"waiting until nothing uses {group['GroupName']}"))
            wait_until_gone(monitor, str(key), lambda group=group: _try_delete(cloud, group["GroupId"]))  # type: ignore[misc]
        return bool(groups)

    def _create(self, cloud: FargateCloud, outs: Outputs) -> str:
        vpc, group_name = outs[self.network].vpc, resource_name(self.app, self.purpose)
        with ignore_codes("InvalidGroup.Duplicate"):
            return cloud.ec2.create_security_group(
                GroupName=group_name,
                Description=f"{self.app} on Fargate: {self.purpose}",
                VpcId=vpc,
                TagSpecifications=[
                    {
                        "ResourceType": "security-group",
                        "Tags": [{"Key": key, "Value": value} for key, value in owner_tags(self.app).items()],
                    }
                ],
            )["GroupId"]
        group = _find_in_vpc(cloud, self.key(), vpc)
        if group is None or not _is_owned(group, self.app):
            raise RefusedError(group_name, "exists, and mldeploy did not make it", "Delete or rename it.")
        return group["GroupId"]

    def _list_desired_rules(self, outs: Outputs) -> set[IngressRule] | None:
        """None while the group that may come in does not exist."""
        source = self.source if isinstance(self.source, str) else getattr(outs.get(self.source), "id", None)
        return None if source is None else {IngressRule(source, port, port) for port in self.ports}


def list_rules(group: SecurityGroupTypeDef) -> Iterator[IngressRule]:
    """What a group lets in."""
    for permission in group["IpPermissions"]:
        first, last = permission.get("FromPort", 0), permission.get("ToPort", 65535)
        for source in _sources(permission):
            yield IngressRule(source, first, last, permission["IpProtocol"])


def render_permission(rule: IngressRule) -> IpPermissionTypeDef:
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


def revoke_rules(cloud: FargateCloud, group: str, rules: Iterable[IngressRule]) -> None:
    """Let nobody in by these rules any more."""
    for rule in rules:
        with ignore_codes("InvalidPermission.NotFound"):
            cloud.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[render_permission(rule)])


def find_group_id(cloud: FargateCloud, app: str, purpose: str) -> str:
    """The id of the app's own group for that purpose. Raises RefusedError if there is none."""
    for group in _find_groups(cloud, Key(purpose, (app,))):
        return group["GroupId"]
    raise RefusedError(resource_name(app, purpose), "is not there", "Deploy again: that makes it anew.")


def allow_port(cloud: FargateCloud, app: str, port: int, source: str) -> None:
    """Let the source in to this port of the tasks, if it is not."""
    for group in _find_groups(cloud, Key(TASKS, (app,))):
        rule = IngressRule(source, port, port)
        if rule not in set(list_rules(group)):
            with ignore_codes("InvalidPermission.Duplicate"):
                cloud.ec2.authorize_security_group_ingress(
                    GroupId=group["GroupId"], IpPermissions=[render_permission(rule)]
                )


def list_purposes(cloud: FargateCloud, app: str) -> list[str]:
    """The purposes for which the app has groups, by tag."""
    prefix = resource_name(app) + "-"
    return [group["GroupName"].removeprefix(prefix) for group in _list_owned(cloud, app)]


def _sources(permission: IpPermissionOutputTypeDef) -> Iterator[str]:
    yield from (each["CidrIp"] for each in permission.get("IpRanges", ()))
    yield from (each["CidrIpv6"] for each in permission.get("Ipv6Ranges", ()))
    yield from (each["GroupId"] for each in permission.get("UserIdGroupPairs", ()))
    yield from (each["PrefixListId"] for each in permission.get("PrefixListIds", ()))


def _read_rules(cloud: FargateCloud, group: str) -> Iterator[IngressRule]:
    for each in cloud.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]:
        yield from list_rules(each)


def _find_in_vpc(cloud: FargateCloud, key: Key, vpc: str) -> SecurityGroupTypeDef | None:
    group_name = resource_name(key.scope[0], key.name)
    filters = [{"Name": "group-name", "Values": [group_name]}, {"Name": "vpc-id", "Values": [vpc]}]
    return next(iter(cloud.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]), None)  # type: ignore[arg-type]


def _find_groups(cloud: FargateCloud, key: Key) -> list[SecurityGroupTypeDef]:
    group_name = resource_name(key.scope[0], key.name)
    return [group for group in _list_owned(cloud, key.scope[0]) if group["GroupName"] == group_name]


def _list_owned(cloud: FargateCloud, app: str) -> list[SecurityGroupTypeDef]:
    filters = [{"Name": f"tag:{tag}", "Values": [value]} for tag, value in owner_tags(app).items()]
    return cloud.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]  # type: ignore[arg-type]


def _is_owned(group: SecurityGroupTypeDef, app: str) -> bool:
    return is_owned(read_tags(group.get("Tags", ())), app)


def _try_delete(cloud: FargateCloud, group: str) -> bool:
    with ignore_codes("DependencyViolation", "InvalidGroup.InUse"):
        with ignore_codes("InvalidGroup.NotFound", "InvalidGroupId.Malformed"):
            cloud.ec2.delete_security_group(GroupId=group)
        return True
    return False


@translate_errors("ec2")
@dataclass(frozen=True, eq=False)
class ClosedPorts(Step[FargateCloud, None]):
    """Exactly what should be let in is let in. Comes after the service: an old version may use an old port."""

    kind: ClassVar[str] = "closed-ports"
    title: ClassVar[str] = "Close every other port"
    stays: ClassVar[bool] = True

    firewall: SecurityGroup
    service: Step[FargateCloud, object]
    """The service whose new version listens on the open ports only."""

    def key(self) -> Key:
        return self.firewall.key()

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[None] | None:
        group = outs.get(self.firewall)
        return Seen(None, tuple(f"close {rule}" for rule in group.surplus)) if group else None

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[None] | None, monitor: Monitor) -> None:
        group = outs[self.firewall]
        revoke_rules(cloud, group.id, group.surplus)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """It goes with its group."""
        return False
