"""What all tasks of a rehearsal have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from mldeploy.rehearsal.containers.host import Host
from mldeploy.rehearsal.containers.network import Addresses
from mldeploy.rehearsal.registry.door import Passwords


@dataclass(frozen=True)
class Stage:
    """name: the value of the label on every container. pace: seconds that each of a task's phases takes at least."""

    name: str
    region: str
    pace: float
    host: Host
    addresses: Addresses
    passwords: Passwords

    @property
    def lag(self) -> timedelta:
        """So long a new role is not known everywhere."""
        return timedelta(seconds=2 * self.pace)
