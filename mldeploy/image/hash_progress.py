"""The progress of hashing files, which takes minutes for a large model, reported to the running probe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mldeploy.core.events import Progress
from mldeploy.core.monitor import current_monitor

FIRST_SECONDS = 0.5
"""What takes less time is not reported."""
EVERY_SECONDS = 0.1


class HashProgress:
    """Counts the bytes of files that are hashed, or known already. total: of all files."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._finished = 0
        self._current = 0
        self._monitor = current_monitor()
        self._due = time.monotonic() + FIRST_SECONDS

    def add(self, size: int) -> None:
        """Count bytes of the current file. Raises CancelledError after a stop request."""
        self._current += size
        now = time.monotonic()
        if now < self._due:
            return
        self._monitor.check()
        self._due = now + EVERY_SECONDS
        done = min(self._finished + self._current, self._total)
        self._monitor.progress(Progress("", "hashing files", done, self._total, in_bytes=True))

    def finish_file(self, size: int) -> None:
        """Count all of the current file, of which a part, or nothing, was added."""
        self._current = 0
        self._finished += size
        self.add(0)


_current: ContextVar[HashProgress | None] = ContextVar("hash_progress", default=None)


@contextmanager
def hash_progress(total: int) -> Iterator[HashProgress]:
    """Report what `count_hashed` counts in the block."""
    progress = HashProgress(total)
    token = _current.set(progress)
    try:
        yield progress
    finally:
        _current.reset(token)


def count_hashed(size: int) -> None:
    """Count bytes that were hashed, if in `hash_progress`. Raises CancelledError after a stop request."""
    if progress := _current.get():
        progress.add(size)
