"""A predictor that each process opens for itself: some libraries' threads do not survive a fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence

from mldeploy_model.predictor import Predictor


class PerProcessPredictor:
    """Opens its model again after a fork. The first one is there to show early that the model loads at all."""

    def __init__(self, first: Predictor, reopen: Callable[[], Predictor]) -> None:
        self._predictor, self._reopen = first, reopen
        self._process, self._lock = os.getpid(), threading.Lock()

    def predict(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[object]:
        return self._current().predict(columns, rows)

    def probabilities(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[Mapping[str, float]] | None:
        return self._current().probabilities(columns, rows)

    def _current(self) -> Predictor:
        if self._process != os.getpid():
            with self._lock:
                if self._process != os.getpid():
                    self._predictor = self._reopen()
                    self._process = os.getpid()
        return self._predictor
