"""What containers write."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from mldeploy.rehearsal.kubernetes.objects.clock import precise


class LogBuffer:
    """The lines of one container, each with its time. It is written by one thread, and read by many."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: list[tuple[str, bytes]] = []
        self._closed = False

    def write(self, line: bytes) -> None:
        """Without its end."""
        with self._changed:
            self._lines.append((precise(), line))
            self._changed.notify_all()

    def close(self) -> None:
        """No line will come any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def lines(self) -> list[tuple[str, bytes]]:
        """Those that there are."""
        with self._changed:
            return list(self._lines)

    def follow(self, begin: int = 0, pause: float = 0.5) -> Iterator[tuple[str, bytes] | None]:
        """Every line from a place on, until the last; None whenever none has come for a while."""
        while True:
            found, closed = self._after(begin, pause)
            begin += len(found)
            yield from found
            if closed and not found:
                return
            if not found:
                yield None

    def _after(self, place: int, seconds: float) -> tuple[list[tuple[str, bytes]], bool]:
        """The lines after a place, and whether they are the last; waits so long for any."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._lines) > place or self._closed, seconds)
            return self._lines[place:], self._closed
