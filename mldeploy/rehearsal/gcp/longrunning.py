"""Long-running operations of Google's APIs. https://google.aip.dev/151"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import TypeAlias

import proto
from google.longrunning import operations_pb2
from google.protobuf.message import Message

from mldeploy.rehearsal.gcp.errors import ApiError, not_found
from mldeploy.rehearsal.gcp.rpc.server import Method, Methods

SERVICE = "google.longrunning.Operations"
PERMISSION = f"{SERVICE}.GetOperation"
"""Name in the call log. The method needs no permission."""

WrappedMessage: TypeAlias = Message | proto.Message


class LongRunning:
    """All operations. Each one is returned as not done, and must be polled."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._operations: dict[str, operations_pb2.Operation] = {}
        self._checks: dict[str, Callable[[], None]] = {}

    def begin(
        self,
        parent: str,
        phases: float,
        finish: Callable[[], WrappedMessage],
        *,
        metadata: WrappedMessage | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> operations_pb2.Operation:
        """Begin an operation. Its response is the result of `finish`, or its error the ApiError that `finish` raises.

        check: is called before the operation is shown; raises ApiError for a caller that may not see it.
        """
        operation = operations_pb2.Operation(name=f"{parent}/{uuid.uuid4()}")
        if metadata is not None:
            operation.metadata.Pack(unwrap(metadata))
        begun = operations_pb2.Operation()
        begun.CopyFrom(operation)

        def end() -> None:
            done = operations_pb2.Operation(name=operation.name, done=True, metadata=operation.metadata)
            try:
                done.response.Pack(unwrap(finish()))
            except ApiError as error:
                done.error.CopyFrom(error.status)
            self._operations[operation.name] = done

        self._operations[operation.name], self._checks[operation.name] = operation, check
        self._scheduler.after(phases, end)
        return begun

    def reset(self) -> None:
        self._operations.clear()
        self._checks.clear()

    @property
    def methods(self) -> Methods:
        return {f"{SERVICE}/GetOperation": Method("", PERMISSION, operations_pb2.GetOperationRequest, self._get)}

    def _get(self, request: operations_pb2.GetOperationRequest) -> operations_pb2.Operation:
        if request.name not in self._operations:
            raise not_found(request.name)
        self._checks[request.name]()
        return self._operations[request.name]


def unwrap(message: WrappedMessage) -> Message:
    """Return the protocol buffer of an SDK message."""
    if isinstance(message, proto.Message):
        inner: Message = type(message).pb(message)
        return inner
    return message


class Scheduler:
    """Runs each action in its own thread. pace: seconds per phase."""

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self._mutex = threading.Lock()
        self._pending = _PendingActions()

    def after(self, phases: float, act: Callable[[], None]) -> None:
        """Run an action after a number of phases, unless `forget` is called first."""
        self.in_seconds(phases * self.pace, act)

    def in_seconds(self, seconds: float, act: Callable[[], None]) -> None:
        """Run an action after `seconds`, unless `forget` is called first."""
        with self._mutex:
            self._pending.add(seconds, act)

    def forget(self) -> None:
        """Cancel pending actions and wait for running ones. Do not hold a lock that they need."""
        with self._mutex:
            pending, self._pending = self._pending, _PendingActions()
        pending.finish(cancelled=True)

    def hurry(self) -> None:
        """Run all pending actions at once, and wait for them. What they schedule takes its own time."""
        with self._mutex:
            pending, self._pending = self._pending, _PendingActions()
        pending.finish(cancelled=False)


class _PendingActions:
    """Actions that wait for their time, each in its own thread."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self._is_cancelled = False
        self._threads: list[threading.Thread] = []

    def add(self, seconds: float, act: Callable[[], None]) -> None:
        """Run an action after `seconds`, or at `finish`."""

        def run() -> None:
            self._woken.wait(seconds)
            if not self._is_cancelled:
                act()

        self._threads = [each for each in self._threads if each.is_alive()]
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def finish(self, *, cancelled: bool) -> None:
        """Run all actions now, or drop those that wait. Waits for the end of their threads."""
        self._is_cancelled = cancelled
        self._woken.set()
        for thread in self._threads:
            thread.join()
