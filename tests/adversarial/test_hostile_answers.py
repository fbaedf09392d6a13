"""An app, a registry or a server answers without an end or without measure: each reader ends in time and in memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from mldeploy.app.client import AnswerError, AppClient
from mldeploy.bounded_http import bounded_session
from mldeploy.config.secret import Secret
from mldeploy.core.events import ignore
from mldeploy.core.monitor import Cancel, CancelledError, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.registry.client import RegistryClient, RegistryError
from tests.adversarial.hostile_app import WAYS, HostileApp

WITHIN = 2.0
SLACK = 300.0
"""Seconds on a busy machine, far less than what the answers last."""
MOST_MIB = 400

READER = """\
import sys
from pathlib import Path
from mldeploy.app.client import AnswerError, AppClient
try:
    with AppClient(sys.argv[1]) as app:
        app.predict("/" + sys.argv[2], {}, within=float(sys.argv[3]))
except AnswerError as error:
    print(error.what)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) // 1024)  # ru_maxrss is that of the parent, too: it survives execve(2)
"""


@pytest.fixture(scope="module")
def hostile() -> Iterator[HostileApp]:
    with HostileApp() as app:
        yield app


def test_the_ways_are_counted() -> None:
    print(f"\n{len(WAYS)} hostile answers")  # noqa: T201 - the count is part of the report
    assert len(WAYS) >= 25


@pytest.mark.parametrize("way", WAYS)
def test_a_prediction_ends_in_time_with_an_error_of_ours(hostile: HostileApp, way: str) -> None:
    started = time.monotonic()
    with AppClient(hostile.url) as app, pytest.raises(AnswerError) as caught:
        app.predict(f"/{way}", {}, within=WITHIN)
    assert caught.value.what
    assert time.monotonic() - started < WITHIN + SLACK


@pytest.mark.parametrize("way", [way for way in WAYS if way.startswith(("drip", "silent"))])
def test_a_health_that_drips_is_late(hostile: HostileApp, way: str) -> None:
    started = time.monotonic()
    with AppClient(hostile.url) as app, pytest.raises(AnswerError, match="no answer in time"):
        app.health(f"/{way}", within=WITHIN)
    assert time.monotonic() - started < WITHIN + SLACK


def test_a_health_page_of_any_length_is_healthy(hostile: HostileApp) -> None:
    with AppClient(hostile.url) as app:
        app.health("/flood-body")


@pytest.mark.parametrize("way", ["flood-body", "flood-chunks", "bomb", "bomb-in-bomb", "nested"])
def test_memory_stays_bounded(hostile: HostileApp, way: str) -> None:
    done = subprocess.run(
        (sys.executable, "-c", READER, hostile.url, way, "600"),
        capture_output=True,
        text=True,
        check=True,
        timeout=1200,
    )
    what, peak = done.stdout.splitlines()
    assert "too large" in what or "nested" in what
    assert int(peak) < MOST_MIB


@pytest.mark.parametrize("way", ["silent", "drip-status", "drip-headers", "drip-body"])
def test_a_stop_ends_the_wait_at_once(hostile: HostileApp, way: str) -> None:
    cancel = Cancel()
    monitor = Monitor(Resource("test", Key("test")), ignore, cancel)
    timer = threading.Timer(0.5, cancel.request)
    started = time.monotonic()
    timer.start()
    with AppClient(hostile.url, monitor=monitor) as app, pytest.raises(CancelledError):
        app.predict(f"/{way}", {}, within=1200)
    timer.join()
    assert time.monotonic() - started < SLACK


@pytest.mark.parametrize("way", ["bomb", "nested", "flood-body", "no-http", "redirects", "wrong-encoding", "number"])
def test_a_registry_s_answer_is_bounded(hostile: HostileApp, way: str) -> None:
    address = hostile.url.removeprefix("http://")
    with RegistryClient(RegistryAccess(address, "", Secret(""))) as registry, pytest.raises(RegistryError):
        registry.image("shop", way, "linux/amd64")


@pytest.mark.parametrize("way", [way for way in WAYS if way.startswith("drip")])
def test_a_session_s_answer_has_a_deadline(hostile: HostileApp, way: str) -> None:
    started = time.monotonic()
    with bounded_session(seconds=WITHIN) as session, pytest.raises(OSError):  # noqa: PT011 - every RequestException is one
        session.get(f"{hostile.url}/{way}", timeout=WITHIN)
    assert time.monotonic() - started < WITHIN + SLACK
