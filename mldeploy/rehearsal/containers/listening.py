"""Hearing what a container writes, to its last word."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mldeploy.rehearsal.containers.host import Container

_LAST_WORDS = 60.0
"""Seconds that an engine which is busy may take to hand over what a container has said before its end."""


class Listener:
    """Hands on every line, without its end, in a thread of its own. Whoever removes the container waits for it first:
    the engine hands over nothing of what is gone.
    """

    def __init__(self, container: Container, heard: Callable[[bytes], None]) -> None:
        self._container, self._heard = container, heard
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return once the container, which has ended, has been heard to the end."""
        self._thread.join(_LAST_WORDS)

    def _listen(self) -> None:
        for line in self._container.logs():
            self._heard(line.rstrip(b"\r"))
