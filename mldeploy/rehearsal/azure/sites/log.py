"""What a site's log says: the platform's lines, and those of the app in its containers."""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime

_LINES = 5000


class Log:
    """Keeps the last lines. May be used from several threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._lines: deque[str] = deque(maxlen=_LINES)

    def write(self, text: str) -> None:
        """A line, with the time in front."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._mutex:
            self._lines.append(f"{now} {text}\n")

    @property
    def text(self) -> str:
        """All of it, the oldest line first."""
        with self._mutex:
            return "".join(self._lines)
