"""Waiting: one deadline a wait, and an ear for the user's wish to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mldeploy.core.errors import LeftoversError
from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.calls import RETRY
from mldeploy.providers.gcp.errors import AGAIN, GcpError

LOOK_EVERY = 0.5


class Operation(Protocol):
    """What Artifact Registry gives back for what takes time: `google.api_core.operation.Operation`."""

    def done(self, retry: object = None) -> bool:
        """Asks once."""

    def result(self, timeout: float | None = None) -> object:
        """What came of it. Raises the SDK's error if it failed."""


def finish(operation: Operation, monitor: Monitor, what: str, within: float) -> None:
    """Wait for it. Raises the SDK's error if it failed, GcpError at the deadline, CancelledError on a stop."""
    for _ in monitor.attempts(every=LOOK_EVERY, within=within):
        if operation.done(retry=RETRY):
            operation.result(timeout=0)
            return
    raise GcpError(what, f"is not ready after {within:.0f} s", AGAIN)


def until_gone(monitor: Monitor, what: str, is_gone: Callable[[], bool], within: float) -> None:
    """Ask until it is so. Raises LeftoversError at the deadline, CancelledError on a stop."""
    for _ in monitor.attempts(every=LOOK_EVERY, within=within):
        if is_gone():
            return
    raise LeftoversError(what, f"is still there after {within:.0f} s", "Run `mldeploy destroy` again a little later.")
