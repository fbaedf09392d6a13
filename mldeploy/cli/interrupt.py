"""Signals: the first requests a stop, the second ends the process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Never

from mldeploy.core.errors import ExitCode
from mldeploy.core.events import Events, Noted
from mldeploy.core.monitor import Cancel

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RESTORED = b"\x1b[?25h\n"
"""Shows the cursor, which a live display hides (DECTCEM)."""


@contextmanager
def stoppable(events: Events) -> Iterator[Cancel]:
    """While a walk runs, the first signal requests a stop; the second ends the process with exit code 130.

    A signal that is ignored (`nohup`, a background job of a script) stays ignored.
    """
    cancel = Cancel()
    requested = threading.Lock()

    def request_stop() -> None:
        cancel.request()
        events(Noted("Finishing the current step. Press Ctrl-C again to quit now.", warning=True))

    def handle(_number: int, _frame: FrameType | None) -> None:
        if requested.locked():
            quit_now()
        requested.acquire()
        # A handler must not wait for a lock that the main thread may hold.
        threading.Thread(target=request_stop, daemon=True).start()

    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = [signal.signal(number, handle) for number in handled]
    try:
        yield cancel
    finally:
        for number, handler in zip(handled, before, strict=True):
            signal.signal(number, handler)


def quit_now() -> Never:
    """End the process. The kernel releases the lock, and the journal is on disk."""
    if os.isatty(2):
        os.write(2, RESTORED)
    os._exit(ExitCode.INTERRUPTED)
