"""Ctrl-C: the first asks everything to stop, the second leaves at once."""

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
"""Shows the cursor again, which a live display hides (DECTCEM)."""


@contextmanager
def stoppable(events: Events) -> Iterator[Cancel]:
    """While a walk runs, a signal requests a stop, and a second one ends the process, with exit code 130.

    A signal that was ignored from the start (`nohup`, a script's background job) stays ignored.
    """
    cancel = Cancel()
    asked = threading.Lock()

    def ask() -> None:
        cancel.request()
        events(Noted("Stopping: what runs may finish. Press Ctrl-C again to leave at once.", warning=True))

    def handle(_number: int, _frame: FrameType | None) -> None:
        if asked.locked():
            leave()
        asked.acquire()
        # A handler runs in the middle of anything, so it must wait for no lock that the main thread may hold.
        threading.Thread(target=ask, daemon=True).start()

    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = [signal.signal(number, handle) for number in heeded]
    try:
        yield cancel
    finally:
        for number, handler in zip(heeded, before, strict=True):
            signal.signal(number, handler)


def leave() -> Never:
    """End at once. The kernel releases the lock, and the journal is on disk: nothing else needs an end."""
    if os.isatty(2):
        os.write(2, RESTORED)
    os._exit(ExitCode.INTERRUPTED)
