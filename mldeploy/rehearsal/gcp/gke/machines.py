"""Machines that nodes can be. https://cloud.google.com/compute/docs/general-purpose-machines"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT = "e2-medium"
DISK_GIGABYTES = 100
_SHARED = {"e2-micro": (2, 1), "e2-small": (2, 2), "e2-medium": (2, 4), "g1-small": (1, 2), "f1-micro": (1, 1)}
_PER_CPU = {"standard": 4, "highmem": 8, "highcpu": 1}
_FAMILIES = "e2|n1|n2|n2d|n4|c2|c2d|c3|c3d|c4|t2d"
_NAME = re.compile(rf"(?P<family>{_FAMILIES})-(?P<kind>standard|highmem|highcpu)-(?P<cpus>[1-9][0-9]*)")


@dataclass(frozen=True)
class Machine:
    """cpus: as they count against the quota. gigabytes: of memory. is_shared: its cores are others', too."""

    cpus: int
    gigabytes: int
    is_shared: bool = False

    @property
    def room(self) -> tuple[int, int]:
        """Cores and GiB that pods can have of it, in whole numbers.

        https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes
        """
        kept = (
            0.25 * min(self.gigabytes, 4) + 0.2 * min(max(self.gigabytes - 4, 0), 4) + 0.1 * max(self.gigabytes - 8, 0)
        )
        return 1 if self.is_shared else self.cpus, max(1, int(self.gigabytes - kept))


def machine(name: str) -> Machine | None:
    """None if there is no such type."""
    if name in _SHARED:
        return Machine(*_SHARED[name], is_shared=True)
    parts = _NAME.fullmatch(name)
    if parts is None:
        return None
    cpus = int(parts["cpus"])
    return Machine(cpus, cpus * _PER_CPU[parts["kind"]])
