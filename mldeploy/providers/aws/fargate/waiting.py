"""Waiting until something is gone: one deadline a wait."""

from __future__ import annotations

from collections.abc import Callable

from mldeploy.core.errors import LeftoversError
from mldeploy.core.monitor import Monitor

GONE_SECONDS = 600.0
LOOK_EVERY = 1.0


def until_gone(monitor: Monitor, what: str, is_gone: Callable[[], bool], within: float = GONE_SECONDS) -> None:
    """Ask until it is so. Raises LeftoversError at the deadline, CancelledError on a stop."""
    for _ in monitor.attempts(every=LOOK_EVERY, within=within):
        if is_gone():
            return
    raise LeftoversError(what, f"is still there after {within:.0f} s", "Run `mldeploy destroy` again a little later.")
