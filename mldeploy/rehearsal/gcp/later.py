"""What takes its time: operations go on in the background, and end when they are due."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Later:
    """Does things after a while, each in a thread of its own. pace: seconds that a phase of anything's life takes."""

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self._mutex = threading.Lock()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def after(self, phases: float, act: Callable[[], None]) -> None:
        """Do it when so many phases have gone by, unless all is forgotten until then."""
        self.in_seconds(phases * self.pace, act)

    def in_seconds(self, seconds: float, act: Callable[[], None]) -> None:
        """Likewise; seconds are those of the clock."""
        with self._mutex:
            over = self._over

            def run() -> None:
                if not over.wait(seconds):
                    act()

            self._threads = [each for each in self._threads if each.is_alive()]
            thread = threading.Thread(target=run, daemon=True)
            self._threads.append(thread)
            thread.start()

    def forget(self) -> None:
        """Do nothing more of it; what is being done is waited for. Hold no lock that it may need."""
        with self._mutex:
            self._over.set()
            self._over, threads, self._threads = threading.Event(), self._threads, []
        for thread in threads:
            thread.join()
