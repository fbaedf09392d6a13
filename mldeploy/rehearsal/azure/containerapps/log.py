"""The log of a replica's container or of an app's system events: the last lines, to be read and followed.

Standard: Azure Container Apps, "View log streams".
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

_LINES = 5000
_WAIT = 1.0


def format_time() -> str:
    """Return the current time as the log stream writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class StreamedLog:
    """Lines with the time of their arrival. May be used from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: deque[tuple[str, str]] = deque(maxlen=_LINES)
        self._count = 0
        self._is_closed = False

    def write(self, text: str) -> None:
        """Append a line."""
        with self._changed:
            self._lines.append((format_time(), text))
            self._count += 1
            self._changed.notify_all()

    def close(self) -> None:
        """End every reader that follows."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def read(self, tail: int) -> list[tuple[str, str]]:
        """Return the last lines, the oldest first. tail: how many at most."""
        with self._changed:
            return list(self._lines)[-tail:] if tail else []

    def follow(self, tail: int, is_over: Callable[[], bool]) -> Iterator[tuple[str, str] | None]:
        """Yield the last lines and every new one, and None when there is none for a while. is_over: stop then."""
        with self._changed:
            seen = self._count - min(tail, len(self._lines))
        while not is_over():
            with self._changed:
                self._changed.wait_for(lambda: self._count > seen or self._is_closed, _WAIT)  # noqa: B023 - called within the iteration
                new = list(self._lines)[len(self._lines) - (self._count - seen) :] if self._count > seen else []
                seen, closed = self._count, self._is_closed
            yield from new
            if closed:
                return
            if not new:
                yield None
