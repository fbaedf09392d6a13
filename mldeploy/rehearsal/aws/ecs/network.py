"""Security groups: who gets through to a task."""

from __future__ import annotations

from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.security_groups import SecurityGroup


def is_open(interface: NetworkInterface, port: int) -> bool:
    """The security groups let somebody outside reach this TCP port: on one machine nobody is told from anybody else."""
    return any(admits(group, port) for group in interface.group_set)


def admits(group: SecurityGroup, port: int) -> bool:
    """One of its rules is about this TCP port, and about addresses."""
    return any(
        rule.ip_range and (rule.ip_protocol == "-1" or (rule.ip_protocol == "tcp" and _covers(rule, port)))
        for rule in group.ingress_rules
    )


def _covers(rule: object, port: int) -> bool:
    first, last = (int(getattr(rule, name) or 0) for name in ("from_port", "to_port"))
    return first <= port <= last
