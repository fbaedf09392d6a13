"""The thread in which all controllers of a cluster take their turns."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Protocol

from mldeploy.rehearsal.kubernetes.objects.store import Store

_TICK = 0.2
"""Seconds after which they look again though nothing has changed: some things take their time."""


class Controller(Protocol):
    """Whoever brings what is nearer to what is wanted."""

    def sync(self) -> None:
        """Look at everything, and do a step. May be repeated at any time."""


class Loop:
    """Runs from `start` until `stop`."""

    def __init__(self, store: Store, controllers: Sequence[Controller]) -> None:
        self._store = store
        self._controllers = controllers
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.turn = threading.Lock()
        """Whoever holds it keeps all controllers from acting."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Return once nobody acts any more. May come before `start`."""
        self._ended.set()
        if self._thread.ident is None:
            return
        with self._store.changed:
            self._store.changed.notify_all()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ended.is_set():
            version = self._store.version
            for each in self._controllers:
                with self.turn:
                    self._try(each)
            if self._store.version == version:
                self._store.wait(version, _TICK)

    def _try(self, controller: Controller) -> None:
        """One that fails must not keep the others from acting; the rehearsal's log says that it did."""
        try:
            controller.sync()
        except Exception:  # noqa: BLE001 - whatever it is
            traceback.print_exc(file=sys.stderr)
