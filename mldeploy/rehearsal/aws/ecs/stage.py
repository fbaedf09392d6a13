"""What all tasks of a rehearsal have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from mldeploy.rehearsal.aws.ecs.host import Host
from mldeploy.rehearsal.aws.ecs.network import Addresses
from mldeploy.rehearsal.aws.registry_door import RegistryDoor


@dataclass(frozen=True)
class Stage:
    """name: the value of the label on every container. pace: seconds that each of a task's phases takes at least."""

    name: str
    region: str
    pace: float
    host: Host
    addresses: Addresses
    registry: RegistryDoor

    @property
    def lag(self) -> timedelta:
        """So long a new role is not known everywhere."""
        return timedelta(seconds=2 * self.pace)
