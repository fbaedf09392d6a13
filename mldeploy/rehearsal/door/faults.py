"""Faults that the front door makes when it is told to: which calls they strike, and what they do to them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What happens to a call."""

    THROTTLE = "throttle"
    """Refused: too many requests. Nothing is done."""
    ERROR = "500"
    """The service fails with 500. Nothing is done."""
    DENIED = "denied"
    """Refused: the caller lacks the permission."""
    TIMEOUT = "timeout"
    """No answer ever comes, and nothing is done."""
    LOST = "lost"
    """It is done, and no answer ever comes."""
    CUT_BEFORE = "cut-before"
    """The connection breaks, and nothing is done."""
    CUT_AFTER = "cut-after"
    """It is done, and the connection breaks."""
    DELAY = "delay"
    """It is done as always, but later."""


@dataclass(frozen=True)
class Fault:
    """An order to the front door.

    action: the calls that it is about, as IAM names them (`ecs:CreateService`); empty: all. skip: so many of those pass
    first. times: so many are struck then; 0: all. seconds: how long a delay takes, or how long a client without an
    answer is held before the connection is closed; a client that leaves earlier is not held.
    """

    kind: Kind
    action: str = ""
    skip: int = 0
    times: int = 1
    seconds: float = 60.0

    @classmethod
    def at(cls, number: int, kind: Kind, *, seconds: float = 60.0) -> Fault:
        """Strikes the call of that number alone, counted from now, from 1."""
        return cls(kind, skip=number - 1, seconds=seconds)


@dataclass
class _Order:
    fault: Fault
    seen: int = 0

    def strikes(self, action: str) -> bool:
        fault = self.fault
        if fault.action not in ("", action):
            return False
        self.seen += 1
        return fault.skip < self.seen and (fault.times == 0 or self.seen <= fault.skip + fault.times)


@dataclass(frozen=True)
class Strike:
    """A fault that one call is to meet. era: how often the orders had been cleared before."""

    fault: Fault
    era: int


class Orders:
    """The orders in force. May be used from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._orders: list[_Order] = []
        self._struck = 0
        self._cleared = 0

    def add(self, fault: Fault) -> None:
        """Counting begins now."""
        with self._changed:
            self._orders.append(_Order(fault))

    def clear(self) -> None:
        """Forget every order, and let go of whoever is held."""
        with self._changed:
            self._orders.clear()
            self._struck = 0
            self._cleared += 1
            self._changed.notify_all()

    def next(self, action: str) -> Strike | None:
        """What is to happen to this call: the first order that strikes it. Each order counts the call."""
        with self._changed:
            striking = [order.fault for order in self._orders if order.strikes(action)]
            return Strike(striking[0], self._cleared) if striking else None

    def strike(self) -> None:
        """A fault has come as far as its client will ever see of it."""
        with self._changed:
            self._struck += 1
            self._changed.notify_all()

    def struck(self, count: int, seconds: float) -> int:
        """How many faults have struck; waits up to `seconds` until there are `count`."""
        with self._changed:
            self._changed.wait_for(lambda: self._struck >= count, seconds)
            return self._struck

    def hold(self, strike: Strike, seconds: float) -> bool:
        """Wait so long; True if the orders have been cleared since the strike."""
        with self._changed:
            return self._changed.wait_for(lambda: self._cleared != strike.era, seconds)
