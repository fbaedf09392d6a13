"""The log of API calls, and the fault that is due for each call."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from mldeploy.rehearsal.gateway.faults import FaultQueue, PendingFault


@dataclass(frozen=True)
class LoggedCall:
    """One API call. number: its position since the start or the last reset, from 1.

    action: the platform's name of the operation, `ecs:CreateService`. writing: it may change something.
    """

    number: int
    action: str
    writing: bool


class CallLog:
    """Thread-safe. Several servers of one stand-in may share it."""

    def __init__(self) -> None:
        self.faults = FaultQueue()
        self._mutex = threading.Lock()
        self._calls: list[LoggedCall] = []

    @property
    def calls(self) -> tuple[LoggedCall, ...]:
        """All calls, oldest first."""
        with self._mutex:
            return tuple(self._calls)

    def record(self, action: str, *, writing: bool) -> PendingFault | None:
        """Log a call. Returns the fault to inject into it, if one is due."""
        with self._mutex:  # the number and the fault of a call are determined together
            self._calls.append(LoggedCall(len(self._calls) + 1, action, writing))
            return self.faults.take_next(action)

    def forget(self) -> None:
        """Delete all calls and faults. Numbering restarts at 1."""
        self.faults.clear()
        with self._mutex:
            self._calls.clear()
