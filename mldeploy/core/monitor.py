"""What a running step may use of the walk: say how far it is, and hear that the user wants to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from mldeploy.core.events import Events, Noted, Progress, Progressed
from mldeploy.core.step import Resource


class CancelledError(Exception):
    """Raised inside a step that was told to stop. The thing that it was making may or may not exist."""


class Cancel:
    """The user's wish to stop. Set once, also from a signal handler; seen by everything that runs.

    A handler interrupts its own thread anywhere, so the lock is one that this thread may take again: with
    threading.Event, a Ctrl-C in the middle of the main thread's `wait` would hang for ever.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._requested = False

    def request(self) -> None:
        """Ask everything to stop. May be repeated."""
        self._requested = True
        with self._changed:
            self._changed.notify_all()

    @property
    def requested(self) -> bool:
        return self._requested

    def wait(self, seconds: float) -> bool:
        """Block for at most so long; True as soon as a stop has been requested."""
        with self._changed:
            return self._changed.wait_for(lambda: self._requested, seconds)


class Monitor:
    """Handed to one running step."""

    def __init__(self, resource: Resource, events: Events, cancel: Cancel) -> None:
        self._resource = resource
        self._events = events
        self._cancel = cancel

    def progress(self, progress: Progress) -> None:
        self._events(Progressed(self._resource, progress))

    def note(self, text: str, *, warning: bool = False) -> None:
        self._events(Noted(text, warning))

    def unstopped(self) -> Monitor:
        """The same, for what must come to its end although the user wants to stop: to put away what was begun."""
        return Monitor(self._resource, self._events, Cancel())

    def check(self) -> None:
        """Raise CancelledError if the user wants to stop. To be called where stopping half-way is safe."""
        if self._cancel.requested:
            raise CancelledError

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than the user is willing to: raises CancelledError at once on a stop."""
        if self._cancel.wait(seconds):
            raise CancelledError

    def attempts(self, *, every: float, within: float) -> Iterator[float]:
        """Yield the seconds elapsed, now and then every so often, until `within` is over. One deadline a wait."""
        start = time.monotonic()
        while (elapsed := time.monotonic() - start) < within:
            self.check()
            yield elapsed
            self.wait(min(every, max(0.0, within - (time.monotonic() - start))))
