"""The end of a command's threads.

A thread that still runs while the interpreter is torn down may crash the process, in C code of any library. So a
command waits for its threads, whose calls have time limits of their own. If one is stuck all the same, such as in the
resolution of a name, which cannot be interrupted, the process ends without the interpreter's own end.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Collection

JOIN_SECONDS = 5.0
"""How long the end of a command waits for its threads, all together."""


def join_threads(before: Collection[threading.Thread], seconds: float = JOIN_SECONDS) -> bool:
    """Wait for all threads that are not in `before`; False if some still run after so many seconds.

    Python cannot wait for a thread of a C library, as gRPC has, which it knows only since it ran Python code once.
    """
    deadline = time.monotonic() + seconds
    others = [each for each in threading.enumerate() if each not in before and each is not threading.current_thread()]
    started = [each for each in others if not isinstance(each, threading._DummyThread)]  # noqa: SLF001 - has no other name
    for each in started:
        each.join(max(0.0, deadline - time.monotonic()))
    return not any(each.is_alive() for each in started)


def end_process(code: int) -> int:
    """Return the exit code, for `sys.exit`; with other threads still running, end the process now."""
    if threading.active_count() == 1:
        return code
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    logging.shutdown()
    os._exit(code)
