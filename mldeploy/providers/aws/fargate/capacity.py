"""Which CPU and memory a Fargate task can have, and the smallest size that holds an app.

Source: "Task CPU and memory", https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

GIB = 1024

MEMORY: Mapping[int, tuple[int, ...]] = MappingProxyType(
    {
        256: (512, 1 * GIB, 2 * GIB),
        512: tuple(range(1 * GIB, 4 * GIB + 1, GIB)),
        1024: tuple(range(2 * GIB, 8 * GIB + 1, GIB)),
        2048: tuple(range(4 * GIB, 16 * GIB + 1, GIB)),
        4096: tuple(range(8 * GIB, 30 * GIB + 1, GIB)),
        8192: tuple(range(16 * GIB, 60 * GIB + 1, 4 * GIB)),
        16384: tuple(range(32 * GIB, 120 * GIB + 1, 8 * GIB)),
    }
)
"""CPU units (1024 are one vCPU) → the MiB of memory that go with them."""


@dataclass(frozen=True)
class Size:
    """A task's size. cpu: units, 1024 are one vCPU. memory: MiB."""

    cpu: int
    memory: int

    @property
    def is_valid(self) -> bool:
        return self.memory in MEMORY.get(self.cpu, ())

    def __str__(self) -> str:
        return f"{self.cpu / 1024:g} vCPU, {self.memory / GIB:g} GiB"


def smallest(cpus: float, memory: int) -> Size | None:
    """The smallest size that has so many CPUs and so many MiB; None if Fargate has none."""
    for cpu, offered in MEMORY.items():
        if cpu >= cpus * 1024 and offered[-1] >= memory:
            return Size(cpu, next(each for each in offered if each >= memory))
    return None


def nearest(cpu: int, memory: int) -> tuple[int, ...]:
    """The memories around this one that go with this CPU, at most two."""
    offered = MEMORY[cpu]
    below = [each for each in offered if each < memory][-1:]
    above = [each for each in offered if each > memory][:1]
    return (*below, *above)
