"""What can happen to a process on its way to the cloud."""

from __future__ import annotations

import threading

from mldeploy.core.monitor import Cancel
from tests.core.simulated.cloud import Point


class Death(BaseException):
    """The process is no more. Nothing catches it."""


class Recorder:
    """Lets every call pass and remembers when it was."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._points: list[Point] = []

    def __call__(self, point: Point) -> None:
        with self._mutex:
            self._points.append(point)

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(self._points)


class DiesAt:
    """The process dies at one point: from then on nothing that any of its threads does reaches the cloud."""

    def __init__(self, point: Point) -> None:
        self._point = point
        self._dead = threading.Event()

    def __call__(self, point: Point) -> None:
        if point == self._point:
            self._dead.set()
        if self._dead.is_set():
            raise Death


class FailsAt:
    """The call at one point fails: before its effect, or after it, so that only the answer is lost."""

    def __init__(self, point: Point, error: Exception) -> None:
        self._point = point
        self._error = error

    def __call__(self, point: Point) -> None:
        if point == self._point:
            raise self._error


class StopsAt:
    """The user presses Ctrl-C at one point."""

    def __init__(self, point: Point, cancel: Cancel) -> None:
        self._point = point
        self._cancel = cancel

    def __call__(self, point: Point) -> None:
        if point == self._point:
            self._cancel.request()
