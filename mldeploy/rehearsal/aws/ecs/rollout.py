"""One deployment of a service: a task definition on its way into a number of tasks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

IN_PROGRESS, COMPLETED, FAILED = "IN_PROGRESS", "COMPLETED", "FAILED"
"""Standard: ECS, `rolloutState`."""


@dataclass
class Rollout:
    """failures: tasks that ended without being asked to. streak: those since one was well.

    resting: seconds since the epoch before which no task is started.
    """

    task_definition: str
    network: Mapping[str, Any]
    identity: str = field(default_factory=lambda: f"ecs-svc/{uuid.uuid4().int % 10**19:019d}")
    state: str = IN_PROGRESS
    reason: str = ""
    failures: int = 0
    streak: int = 0
    resting: float = 0.0
    counted: set[str] = field(default_factory=set)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.reason = self.reason or f"ECS deployment {self.identity} in progress."

    def turn(self, state: str, reason: str) -> None:
        self.state, self.reason, self.updated = state, reason, datetime.now(UTC)

    def described(self, *, primary: bool, desired: int, running: int, pending: int) -> dict[str, Any]:
        """As DescribeServices shows it."""
        return {
            "id": self.identity,
            "status": "PRIMARY" if primary else "ACTIVE",
            "taskDefinition": self.task_definition,
            "desiredCount": desired,
            "pendingCount": pending,
            "runningCount": running,
            "failedTasks": self.failures,
            "createdAt": self.created,
            "updatedAt": self.updated,
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "networkConfiguration": self.network,
            "rolloutState": self.state,
            "rolloutStateReason": self.reason,
        }
