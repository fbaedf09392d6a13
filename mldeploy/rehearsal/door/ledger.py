"""What has come in at a front door, in which order, and which fault each call is to meet."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from mldeploy.rehearsal.door.faults import Orders, Strike


@dataclass(frozen=True)
class Call:
    """One API call. number: its place among all since the start or the last reset, from 1.

    action: by the platform's own name, `ecs:CreateService`. writing: it may change something.
    """

    number: int
    action: str
    writing: bool


class Ledger:
    """May be used from several threads, and by several servers of one stand-in."""

    def __init__(self) -> None:
        self.orders = Orders()
        self._mutex = threading.Lock()
        self._calls: list[Call] = []

    @property
    def calls(self) -> tuple[Call, ...]:
        """What has come in, oldest first."""
        with self._mutex:
            return tuple(self._calls)

    def record(self, action: str, *, writing: bool) -> Strike | None:
        """Write a call down; what it is to meet, if anything."""
        with self._mutex:  # one call's number and its fault belong together
            self._calls.append(Call(len(self._calls) + 1, action, writing))
            return self.orders.next(action)

    def forget(self) -> None:
        """Begin to number anew, without orders."""
        self.orders.clear()
        with self._mutex:
            self._calls.clear()
