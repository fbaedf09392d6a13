"""EC2's network, where moto lets through what AWS refuses."""

from __future__ import annotations

from types import SimpleNamespace

from moto.ec2 import urls
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend, ec2_backends
from moto.elbv2.models import elbv2_backends


class RehearsedEC2(EC2Backend):
    """moto's, but what is in use cannot be deleted."""

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
    """Let moto play EC2 so. Once for each process: moto's backends are the process's."""
    ec2_backends.backend = RehearsedEC2
