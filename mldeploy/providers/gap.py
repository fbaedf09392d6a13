"""How long a port does not answer while it passes from one version to the next, measured by asking it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from mldeploy.app.client import HEALTH_SECONDS, AnswerError, AppClient

ASK_EVERY = 0.01
PATIENCE = 0.2


class GapMeter:
    """Asks a health path again and again in a thread of its own, from its construction until it is closed.

    It does not wait much longer for an answer than it had to at its construction. While a container's network is set up
    or taken down, a connection can be lost in a way that TCP notices only after a second: those who ask anew are
    answered sooner, and that is what counts.
    """

    def __init__(self, url: str, path: str, trust: Path | None = None, every: float = ASK_EVERY) -> None:
        """`every`: seconds between two questions; `trust` as AppClient takes it."""
        self._url, self._path, self._trust, self._every = url, path, trust, every
        self._patience = HEALTH_SECONDS
        self._patience = self._usual_wait()
        self._lost: float | None = None
        self._found: float | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._measure, name=f"gap of {url}", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """From the first question that was not answered to the answer that ended the silence. 0.0: there was none."""
        if self._lost is None:
            return 0.0
        return (self._found or time.monotonic()) - self._lost

    def _usual_wait(self) -> float:
        started = time.monotonic()
        with AppClient(self._url, self._trust) as app:
            answered = self._answers(app)
        return min(HEALTH_SECONDS, PATIENCE + 4 * (time.monotonic() - started)) if answered else HEALTH_SECONDS

    def _measure(self) -> None:
        with AppClient(self._url, self._trust) as app:
            ending = False
            while not ending:
                ending = self._done.wait(self._every)  # after the end, once more: the silence may just have ended, too
                started = time.monotonic()
                self._note(started, self._answers(app))

    def _answers(self, app: AppClient) -> bool:
        try:
            app.health(self._path, within=self._patience)
        except AnswerError:
            return False
        return True

    def _note(self, started: float, answered: bool) -> None:
        if not answered:
            self._lost = started if self._lost is None else self._lost
            self._found = None
        elif self._lost is not None and self._found is None:
            self._found = time.monotonic()

    def close(self) -> None:
        """Ask once more and stop. May be repeated."""
        self._done.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
