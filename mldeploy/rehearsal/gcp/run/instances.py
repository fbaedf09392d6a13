"""The instances of a revision: started for requests, and stopped when idle.

https://cloud.google.com/run/docs/about-instance-autoscaling
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from mldeploy.rehearsal.gcp.run.launcher import STOP_SECONDS, RevisionLauncher, RunInstance
from mldeploy.rehearsal.gcp.run.messages import RevisionStartError

PENDING_SECONDS = 60.0
"""How long a request waits for an instance; Cloud Run: 3.5 times the startup time, at least 10 seconds."""

BACKOFF_SECONDS = 10.0
"""After an instance of the minimum did not start."""


class NoInstanceError(Exception):
    """All instances are busy, and there may be no more."""


class NotServingError(Exception):
    """There may be no instance: the service is scaled to none by hand, or the revision is being deleted."""


class InstanceStartError(Exception):
    """An instance for a request did not start."""


@dataclass
class InstanceLimits:
    """How many instances there are, and how many requests each gets at a time."""

    minimum: int
    maximum: int
    concurrency: int


class RevisionInstances:
    """The running instances of one revision. Thread-safe."""

    def __init__(self, launcher: RevisionLauncher, limits: InstanceLimits) -> None:
        self._launcher = launcher
        self._limits = limits
        self._changed = threading.Condition()
        self._instances: list[RunInstance] = []
        self._starting = self._waiting = self._failures = 0
        self._failed = -BACKOFF_SECONDS
        self._is_closed = False

    @property
    def running(self) -> Sequence[RunInstance]:
        """Those that have not ended."""
        with self._changed:
            return self._living()

    def start_first(self) -> None:
        """Start one, as for the check of a new revision. Raises RevisionStartError."""
        instance = self._launcher.launch(lambda: self._is_closed)
        with self._changed:
            is_late = self._add(instance)
        if is_late:
            instance.stop()

    def set_limits(self, minimum: int, maximum: int) -> None:
        """Change the limits. Starts and stops instances accordingly."""
        with self._changed:
            self._limits.minimum, self._limits.maximum = minimum, maximum
            missing = minimum - len(self._living()) - self._starting
            may_start = not self._is_closed and time.monotonic() - self._failed >= BACKOFF_SECONDS
            for _ in range(missing if may_start else 0):
                self._begin_start()
            surplus = [each for each in self._living()[maximum:] if not each.busy]
            self._changed.notify_all()
        self._stop(surplus)

    def stop_idle(self, seconds: float) -> None:
        """Stop those that have been idle for so long, except the minimum. Replaces ended ones of the minimum."""
        now = time.monotonic()
        with self._changed:
            idle = [each for each in self._living() if not each.busy and now - each.idle_since >= seconds]
            spare = max(0, len(self._living()) - self._limits.minimum)
        self._stop(idle[:spare])
        self.set_limits(self._limits.minimum, self._limits.maximum)

    def close(self, seconds: int = STOP_SECONDS) -> None:
        """Stop all, and start no more. Waits for the end. seconds: between SIGTERM and SIGKILL."""
        with self._changed:
            self._is_closed = True
            instances, self._instances = self._instances, []
            self._changed.notify_all()
        threads = [threading.Thread(target=each.stop, args=(seconds,), daemon=True) for each in instances]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._launcher.remove_files()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Reserve an instance for a request, and yield HOST:PORT.

        Raises NoInstanceError, NotServingError, InstanceStartError.
        """
        instance = self._acquire()
        try:
            yield instance.address
        finally:
            with self._changed:
                instance.busy -= 1
                instance.idle_since = time.monotonic()
                self._changed.notify_all()

    def _acquire(self) -> RunInstance:
        with self._changed:
            self._waiting += 1
            try:
                return self._wait_for_instance()
            finally:
                self._waiting -= 1

    def _wait_for_instance(self) -> RunInstance:
        deadline, failures = time.monotonic() + PENDING_SECONDS, self._failures
        while True:
            if self._is_closed or not self._limits.maximum:
                raise NotServingError
            free = [each for each in self._living() if each.busy < self._limits.concurrency]
            if free:
                chosen = min(free, key=lambda each: each.busy)
                chosen.busy += 1
                return chosen
            if self._failures > failures:
                raise InstanceStartError
            is_short = self._waiting > self._starting * self._limits.concurrency
            if is_short and len(self._living()) + self._starting < self._limits.maximum:
                self._begin_start()
            if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                raise NoInstanceError

    def _begin_start(self) -> None:
        """Start an instance in the background. The caller holds the lock."""
        self._starting += 1
        threading.Thread(target=self._start, daemon=True).start()

    def _start(self) -> None:
        self._launcher.log(
            "Starting new instance. Reason: AUTOSCALING - Instance started due to configured scaling "
            "factors (such as CPU utilization, request throughput, and so on) or no existing capacity "
            "for current traffic."
        )
        instance, is_late = None, False
        try:
            with suppress(RevisionStartError):  # the waiting requests fail
                instance = self._launcher.launch(lambda: self._is_closed)
        finally:
            with self._changed:
                self._starting -= 1
                if instance is None:
                    self._failures, self._failed = self._failures + 1, time.monotonic()
                is_late = self._add(instance)
        if instance is not None and is_late:
            instance.stop()

    def _add(self, instance: RunInstance | None) -> bool:
        """Take in a started instance. Returns whether it is too late. The caller holds the lock."""
        if instance is not None and not self._is_closed:
            self._instances.append(instance)
        self._changed.notify_all()
        return self._is_closed

    def _living(self) -> list[RunInstance]:
        return [each for each in self._instances if each.exit is None and not each.is_stopping]

    def _stop(self, instances: Sequence[RunInstance]) -> None:
        """Stop instances in the background, so that a container which ignores SIGTERM delays nothing."""
        with self._changed:
            for each in instances:
                each.is_stopping = True
            self._instances = [each for each in self._instances if each not in instances]
        for each in instances:
            threading.Thread(target=each.stop, daemon=True).start()
