"""Conformance tests of targets that promise rollouts without downtime."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mldeploy.core.errors import MldeployError
from mldeploy.project.golden import Json
from mldeploy.testing.life import FIRST, AppLife, LifeSuite
from mldeploy.testing.plugin import CASES
from mldeploy.testing.promises import Promise, proves

RATE, MANY = 40, 100
"""Requests a second: of the quick tests, and of the exhaustive one."""
CALLERS = 10


class ZeroDowntimeSuite(LifeSuite):
    """Versions are rolled out while the app receives requests continuously."""

    @proves(Promise.NO_DOWNTIME)
    def test_no_request_fails_while_a_version_changes(
        self, life: AppLife, record_property: Callable[[str, object], None]
    ) -> None:
        self._roll_out(life, 1, RATE, record_property)

    @pytest.mark.exhaustive
    @proves(Promise.NO_DOWNTIME)
    def test_no_request_fails_while_ten_versions_change(
        self, life: AppLife, record_property: Callable[[str, object], None]
    ) -> None:
        self._roll_out(life, 10, MANY, record_property)

    def _roll_out(self, life: AppLife, times: int, rate: int, tell: Callable[[str, object], None]) -> None:
        address = life.deploy(FIRST)
        with send_load(self.ask, address.url, rate) as seen:
            for number in range(times):
                version = replace(FIRST, code=f"version {number}")
                assert life.deploy(version).url == address.url
                assert self.ask(address.url) == version.answer
        count = seen.total()
        tell(CASES, f"{life.stage.provider.name}: {times} rollouts under load: {count} predictions, none failed")
        failed = {what: number for what, number in seen.items() if what != "answered"}
        assert not failed, f"of {count}: {failed}"
        life.end()


@contextmanager
def send_load(ask: Callable[[str], Json], url: str, rate: int = RATE) -> Iterator[Counter[str]]:
    """Send requests during the block; count their outcomes. ask: sends one, as `LifeSuite.ask` does.

    rate: requests a second.
    """
    seen: Counter[str] = Counter()
    ended = threading.Event()
    callers = [threading.Thread(target=_call, args=(ask, url, rate, seen, ended), daemon=True) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield seen
    finally:
        ended.set()
        for caller in callers:
            caller.join()


def _call(ask: Callable[[str], Json], url: str, rate: int, seen: Counter[str], ended: threading.Event) -> None:
    """Send a tenth of the load at fixed times, however long each request takes."""
    due = time.monotonic()
    while not ended.wait(max(0.0, due - time.monotonic())):
        due = max(due + CALLERS / rate, time.monotonic() - 1)
        try:
            ask(url)
            seen["answered"] += 1
        except MldeployError as error:
            seen[error.what] += 1
