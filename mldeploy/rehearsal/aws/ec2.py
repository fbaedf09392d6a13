"""EC2 networking: security groups."""

from __future__ import annotations

from types import SimpleNamespace

from moto.ec2 import urls
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.security_groups import SecurityGroup
from moto.elbv2.models import elbv2_backends


class RehearsedEC2(EC2Backend):
    """moto's backend, but security groups in use cannot be deleted."""

    @property
    def _url_module(self) -> SimpleNamespace:
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=urls.url_paths)

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> None:
        group = self.get_security_group_by_name_or_id(group_id or name or "")
        used = {each.id for interface in list(self.enis.values()) for each in interface.group_set}
        for balancer in list(elbv2_backends[self.account_id][self.region_name].load_balancers.values()):
            used.update(balancer.security_groups)
        if group is not None and group.id in used:
            raise DependencyViolationError(f"resource {group.id} has a dependent object")
        super().delete_security_group(name, group_id)


def install() -> None:
    """Install this backend in moto, for this process."""
    ec2_backends.backend = RehearsedEC2


def is_port_open(interface: NetworkInterface, port: int) -> bool:
    """Whether the security groups allow a TCP port. Sources are not distinguished on one machine."""
    return any(allows_port(group, port) for group in interface.group_set)


def allows_port(group: SecurityGroup, port: int) -> bool:
    """Whether an ingress rule of the group allows addresses to reach a TCP port."""
    return any(
        rule.ip_range and (rule.ip_protocol == "-1" or (rule.ip_protocol == "tcp" and _covers(rule, port)))
        for rule in group.ingress_rules
    )


def _covers(rule: object, port: int) -> bool:
    first, last = (int(getattr(rule, name) or 0) for name in ("from_port", "to_port"))
    return first <= port <= last
