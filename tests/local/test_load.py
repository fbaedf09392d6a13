"""Redeployments under load: no request fails, and nothing of it depends on how quiet the machine is."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from mldeploy.testing.plugin import CASES
from mldeploy.testing.promises import Promise, proves
from tests.local.world import World

pytestmark = pytest.mark.engine

CALLERS = 4
PAUSE = 0.04
"""Seconds between two requests of one caller: at most 100 requests a second in all."""


def redeploy(world: World, times: int, record_property: Callable[[str, object], None]) -> None:
    world.deploy()
    with load(world.url) as seen:
        for number in range(times):
            world.env(VERSION=f"v{number}")
            assert world.deploy().out.gap_seconds == 0.0
            assert world.version == f"v{number}"
    failed = {outcome: count for outcome, count in seen.items() if not outcome.startswith("version ")}
    assert not failed, f"of {seen.total()}: {failed}"
    assert seen[f"version v{times - 1}"], "the last version was asked, too"
    record_property(CASES, f"local: {times} redeployments under load: {seen.total()} requests, none failed")


@proves(Promise.NO_DOWNTIME, targets=("local",))
def test_no_request_fails_at_a_redeployment(world: World, record_property: Callable[[str, object], None]) -> None:
    redeploy(world, 1, record_property)


@pytest.mark.exhaustive
def test_no_request_fails_at_ten_redeployments(world: World, record_property: Callable[[str, object], None]) -> None:
    redeploy(world, 10, record_property)


@contextmanager
def load(url: str) -> Iterator[Counter[str]]:
    """Send requests during the block, half of them on connections that are kept; count what comes back."""
    seen: Counter[str] = Counter()
    ended, answered = threading.Event(), threading.Barrier(CALLERS + 1)
    callers = [threading.Thread(target=call, args=(url, number, seen, ended, answered)) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    answered.wait(60)
    try:
        yield seen
    finally:
        ended.set()
        for caller in callers:
            caller.join()


def call(url: str, number: int, seen: Counter[str], ended: threading.Event, answered: threading.Barrier) -> None:
    with requests.Session() as session:
        if number % 2:
            session.headers["Connection"] = "close"
        seen[ask(session, url)] += 1
        answered.wait(60)
        last = False
        while not last:
            last = ended.wait(PAUSE)  # and one more at the end, which the last version answers
            seen[ask(session, url)] += 1


def ask(session: requests.Session, url: str) -> str:
    """The outcome of one request: the version that has answered, or what went wrong."""
    try:
        response = session.get(url, timeout=60)
    except requests.RequestException as error:
        return f"{type(error).__name__}: {error}"
    return f"version {response.json()['version']}" if response.ok else f"{response.status_code}: {response.text}"
