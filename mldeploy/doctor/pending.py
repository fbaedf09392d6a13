"""Work that goes on in the background, and that nobody waits for beyond its deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Pending(Generic[T_co]):
    """A value that is being fetched since this was made; several threads may wait for it.

    A pool of threads would wait for all of them when the program ends; a name server that swallows packets would hold
    it up for minutes. So each has a daemon thread, which is abandoned at the deadline.
    """

    def __init__(self, fetch: Callable[[], T_co], seconds: float) -> None:
        self._future: Future[T_co] = Future()
        self._deadline = time.monotonic() + seconds
        threading.Thread(target=self._run, args=(fetch,), daemon=True).start()

    def _run(self, fetch: Callable[[], T_co]) -> None:
        try:
            self._future.set_result(fetch())
        except BaseException as error:  # noqa: BLE001 - it is raised where the value is wanted
            self._future.set_exception(error)

    def result(self) -> T_co:
        """The value. Raises TimeoutError at the deadline, and whatever fetching it has raised. May be repeated."""
        return self._future.result(max(0.0, self._deadline - time.monotonic()))
