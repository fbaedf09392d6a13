"""What a provider must pass that promises versions which change without a gap: nobody notices, not even under load."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mldeploy.core.errors import MldeployError
from mldeploy.testing.life import FIRST, Life, Lived
from mldeploy.testing.plugin import CASES

RATE = 100
"""Requests a second."""
CALLERS = 10


class Gapless(Lived):
    """Versions are rolled out while the app is asked for predictions all the time."""

    def test_no_request_fails_while_a_version_changes(
        self, life: Life, record_property: Callable[[str, object], None]
    ) -> None:
        self._roll_out(life, 1, record_property)

    @pytest.mark.exhaustive
    def test_no_request_fails_while_ten_versions_change(
        self, life: Life, record_property: Callable[[str, object], None]
    ) -> None:
        self._roll_out(life, 10, record_property)

    def _roll_out(self, life: Life, times: int, tell: Callable[[str, object], None]) -> None:
        address = life.deploy(FIRST)
        with self._asking(address.url) as seen:
            for number in range(times):
                version = replace(FIRST, code=f"version {number}")
                assert life.deploy(version).url == address.url
                assert self.ask(address.url) == version.answer
        asked = seen.total()
        tell(CASES, f"{life.stage.provider.name}: {times} rollouts under load: {asked} predictions, none failed")
        failed = {what: count for what, count in seen.items() if what != "answered"}
        assert not failed, f"of {asked}: {failed}"
        life.end()

    @contextmanager
    def _asking(self, url: str) -> Iterator[Counter[str]]:
        """While the block lasts; what came of it, by what it was."""
        seen: Counter[str] = Counter()
        ended = threading.Event()
        callers = [threading.Thread(target=self._call, args=(url, seen, ended), daemon=True) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            yield seen
        finally:
            ended.set()
            for caller in callers:
                caller.join()

    def _call(self, url: str, seen: Counter[str], ended: threading.Event) -> None:
        """A tenth of the load, each request at its own moment, however long the one before has taken."""
        due = time.monotonic()
        while not ended.wait(max(0.0, due - time.monotonic())):
            due = max(due + CALLERS / RATE, time.monotonic() - 1)
            try:
                self.ask(url)
                seen["answered"] += 1
            except MldeployError as error:
                seen[error.what] += 1
