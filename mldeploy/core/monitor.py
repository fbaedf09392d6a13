"""The interface of a running step to the walk: report progress, and check whether the user requested a stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

from mldeploy.core.events import Events, Noted, Progress, Progressed, ignore
from mldeploy.core.step import Key, Resource


class CancelledError(Exception):
    """Raised inside a step after a stop request. The resource that it was creating may or may not exist."""


class Cancel:
    """The stop request of the user. Set once, also from a signal handler; seen by everything that runs.

    A handler interrupts its own thread anywhere, so the lock is one that this thread may take again: with
    threading.Event, a Ctrl-C in the middle of the main thread's `wait` would hang for ever.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._requested = False
        self._callbacks: dict[object, Callable[[], None]] = {}

    def request(self) -> None:
        """Request a stop of everything that runs. May be repeated."""
        self._requested = True
        for callback in list(self._callbacks.values()):
            callback()
        with self._changed:
            self._changed.notify_all()

    @property
    def requested(self) -> bool:
        return self._requested

    @contextmanager
    def on_request(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call it at a request for a stop, from the thread or signal handler that makes it; at once after one.

        For what waits outside of `wait`, such as a read from a socket. It must not block or raise.
        """
        key = object()
        self._callbacks[key] = callback
        try:
            if self._requested:
                callback()
            yield
        finally:
            del self._callbacks[key]

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
        """Return a monitor that ignores stop requests, for cleanup that must complete."""
        return Monitor(self._resource, self._events, Cancel())

    def on_stop(self, callback: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `callback` on a stop request while the context is active. It must not block or raise."""
        return self._cancel.on_request(callback)

    def check(self) -> None:
        """Raise CancelledError after a stop request. Call it where an interruption is safe."""
        if self._cancel.requested:
            raise CancelledError

    def wait(self, seconds: float) -> None:
        """Wait; raises CancelledError immediately on a stop request."""
        if self._cancel.wait(seconds):
            raise CancelledError

    def attempts(self, *, every: float, within: float) -> Iterator[float]:
        """Yield the seconds elapsed, now and then every so often, until `within` is over. One deadline a wait.

        There is a first attempt however busy the machine is.
        """
        start, elapsed, is_over = time.monotonic(), 0.0, False
        while not is_over:
            self.check()
            yield elapsed
            self.wait(min(every, max(0.0, within - (time.monotonic() - start))))
            elapsed = time.monotonic() - start
            is_over = elapsed >= within


_probe_monitor: ContextVar[Monitor | None] = ContextVar("probe_monitor", default=None)


@contextmanager
def monitored_probe(monitor: Monitor) -> Iterator[None]:
    """Let `current_monitor` return this monitor in this thread: a probe is not handed one, since most take no time."""
    token = _probe_monitor.set(monitor)
    try:
        yield
    finally:
        _probe_monitor.reset(token)


def current_monitor() -> Monitor:
    """Return the monitor of the running probe; outside of a walk, one that reports to nobody."""
    return _probe_monitor.get() or Monitor(Resource("none", Key("none")), ignore, Cancel())
