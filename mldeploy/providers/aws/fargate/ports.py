"""Closing what the app no longer needs open, once nothing serves there any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.providers.aws.fargate import firewall
from mldeploy.providers.aws.fargate.answers import speaking_to
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.firewall import SecurityGroup
from mldeploy.providers.aws.fargate.service import Service


@speaking_to("ec2")
@dataclass(frozen=True, eq=False)
class ClosedPorts(Step[FargateCloud, None]):
    """Exactly what should be let in is let in. Comes after the service: an old version may use an old port."""

    kind: ClassVar[str] = "closed-ports"
    title: ClassVar[str] = "Close every other port"
    stays: ClassVar[bool] = True

    firewall: SecurityGroup
    service: Service

    def key(self) -> Key:
        return self.firewall.key()

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[None] | None:
        group = outs.get(self.firewall)
        return Seen(None, tuple(f"close {rule}" for rule in group.surplus)) if group else None

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[None] | None, monitor: Monitor) -> None:
        group = outs[self.firewall]
        firewall.close(cloud, group.id, group.surplus)

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        """It goes with its group."""
        return False
