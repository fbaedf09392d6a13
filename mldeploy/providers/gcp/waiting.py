"""Waiting: one deadline a wait, and an ear for the user's wish to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from mldeploy.core.errors import LeftoversError
from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.calls import RETRY
from mldeploy.providers.gcp.errors import AGAIN, GcpError

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0


class Operation(Protocol):
    """What Artifact Registry gives back for what takes time: `google.api_core.operation.Operation`."""

    def done(self, retry: object = None) -> bool:
        """Asks once."""

    def result(self, timeout: float | None = None) -> object:
        """What came of it. Raises the SDK's error if it failed."""


def finish(operation: Operation, monitor: Monitor, what: str, within: float) -> None:
    """Wait for it. Raises the SDK's error if it failed, GcpError at the deadline, CancelledError on a stop."""
    for _ in paced(monitor, within):
        if operation.done(retry=RETRY):
            operation.result(timeout=0)
            return
    raise GcpError(what, f"is not ready after {within:.0f} s", AGAIN)


def paced(monitor: Monitor, within: float) -> Iterator[float]:
    """Yield the seconds elapsed, after longer and longer pauses, for what may take a moment or a quarter of an hour."""
    start, pause = time.monotonic(), FIRST_PAUSE
    while (elapsed := time.monotonic() - start) < within:
        monitor.check()
        yield elapsed
        monitor.wait(min(pause, max(0.0, within - elapsed)))
        pause = min(pause * 1.4, LONGEST_PAUSE)


def until_gone(monitor: Monitor, what: str, is_gone: Callable[[], bool], within: float) -> None:
    """Ask until it is so. Raises LeftoversError at the deadline, CancelledError on a stop."""
    for _ in paced(monitor, within):
        if is_gone():
            return
    raise LeftoversError(what, f"is still there after {within:.0f} s", "Run `mldeploy destroy` again a little later.")
