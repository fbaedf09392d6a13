"""Stops a program before any line that it is about to run, as a debugger does: there it can be killed, or overtaken."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection
from types import FrameType
from typing import TypeAlias

from tests.core.patience import PATIENCE

Tracer: TypeAlias = Callable[[FrameType, str, object], "Tracer | None"]


def tracer(files: Collection[str], nth: int, halt: Callable[[], None]) -> Tracer:
    """For `sys.settrace`: calls `halt` once, before the n-th line (counted from 1) that runs in one of the files."""
    seen = 0

    def in_the_files(_frame: FrameType, event: str, _arg: object) -> Tracer:
        nonlocal seen
        if event == "line":
            seen += 1
            if seen == nth:
                halt()
        return in_the_files

    def anywhere(frame: FrameType, _event: str, _arg: object) -> Tracer | None:
        return in_the_files if frame.f_code.co_filename in files else None

    return anywhere


class Halted:
    """A function that runs in a thread of its own and halts before the n-th line that it runs in one of the files.

    `came_so_far` is known once the constructor returns: False if the function ended before. `resume` lets it run on
    and returns how it ended: None, or its error.
    """

    def __init__(self, function: Callable[[], None], files: Collection[str], nth: int) -> None:
        self._stopped = threading.Event()
        self._go_on = threading.Event()
        self._function = function
        self._tracer = tracer(files, nth, self._halt)
        self._error: Exception | None = None
        self.came_so_far = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._stopped.wait(PATIENCE)

    def resume(self) -> Exception | None:
        self._go_on.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "it hangs"
        return self._error

    def _run(self) -> None:
        sys.settrace(self._tracer)
        try:
            self._function()
        except Exception as error:  # noqa: BLE001 - `resume` returns it
            self._error = error
        finally:
            sys.settrace(None)
            self._stopped.set()

    def _halt(self) -> None:
        self.came_so_far = True
        self._stopped.set()
        assert self._go_on.wait(PATIENCE)
