"""Faults that the gateway injects into API calls."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What happens to a call."""

    THROTTLE = "throttle"
    """Error response: too many requests. The call has no effect."""
    ERROR = "500"
    """Error response: 500. The call has no effect."""
    DENIED = "denied"
    """Error response: permission denied. The call has no effect."""
    TIMEOUT = "timeout"
    """No response. The call has no effect."""
    LOST = "lost"
    """No response. The call has its effect."""
    CUT_BEFORE = "cut-before"
    """The connection breaks. The call has no effect."""
    CUT_AFTER = "cut-after"
    """The connection breaks. The call has its effect."""
    DELAY = "delay"
    """The call is processed normally after a delay."""


@dataclass(frozen=True)
class FaultOrder:
    """A fault to inject.

    action: affected operation, by IAM's name (`ecs:CreateService`); empty: all. skip: number of matching calls to let
    pass first. times: number of calls to affect after that; 0: all. seconds: length of a delay, or how long a client
    without a response is held before the connection is closed.
    """

    kind: FaultKind
    action: str = ""
    skip: int = 0
    times: int = 1
    seconds: float = 60.0

    @classmethod
    def at(cls, number: int, kind: FaultKind, *, seconds: float = 60.0) -> FaultOrder:
        """A fault for one call only. number: counted from now, from 1."""
        return cls(kind, skip=number - 1, seconds=seconds)


@dataclass
class _ActiveFault:
    fault: FaultOrder
    seen: int = 0

    def matches(self, action: str) -> bool:
        fault = self.fault
        if fault.action not in ("", action):
            return False
        self.seen += 1
        return fault.skip < self.seen and (fault.times == 0 or self.seen <= fault.skip + fault.times)


@dataclass(frozen=True)
class PendingFault:
    """A fault that is due for one call. era: number of times the faults had been cleared before."""

    fault: FaultOrder
    era: int


class FaultQueue:
    """The active faults. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._active: list[_ActiveFault] = []
        self._injected = 0
        self._cleared = 0

    def add(self, fault: FaultOrder) -> None:
        """Add a fault. Its calls are counted from now."""
        with self._changed:
            self._active.append(_ActiveFault(fault))

    def clear(self) -> None:
        """Remove all faults, and release held clients."""
        with self._changed:
            self._active.clear()
            self._injected = 0
            self._cleared += 1
            self._changed.notify_all()

    def take_next(self, action: str) -> PendingFault | None:
        """Return the first fault that matches this call. Every fault counts the call."""
        with self._changed:
            matching = [active.fault for active in self._active if active.matches(action)]
            return PendingFault(matching[0], self._cleared) if matching else None

    def count_injection(self) -> None:
        """Count a fault as injected: its client will see nothing more of the call."""
        with self._changed:
            self._injected += 1
            self._changed.notify_all()

    def wait_for_injections(self, count: int, seconds: float) -> int:
        """Wait up to `seconds` until `count` faults were injected. Returns their number."""
        with self._changed:
            self._changed.wait_for(lambda: self._injected >= count, seconds)
            return self._injected

    def hold(self, pending: PendingFault, seconds: float) -> bool:
        """Wait `seconds`. Returns True as soon as the faults have been cleared since `pending` was due."""
        with self._changed:
            return self._changed.wait_for(lambda: self._cleared != pending.era, seconds)
