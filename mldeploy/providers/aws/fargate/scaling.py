"""What autoscaling keeps to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """So many tasks that each of them has this to do. cpu: percent. requests: a minute and task; 0 if CPU decides."""

    least: int
    most: int
    cpu: int
    requests: int = 0
