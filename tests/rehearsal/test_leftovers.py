"""A test run that was killed leaves nothing to the next one, and two runs beside each other do not meet."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.image.engine import Engine
from mldeploy.image.labels import APP
from tests.names import app_name, forget, record, remove_app, remove_leftovers
from tests.sampled import BASE

pytestmark = pytest.mark.engine

RUN = """
import sys, time
from pathlib import Path
from mldeploy.image.engine import Engine
from mldeploy.image.labels import APP
from tests.names import record
folder, name, base = sys.argv[1:]
record(name, Path(folder))
engine = Engine.connect()
engine.client.start(engine.client.create_container(base, ["sleep", "3600"], labels={APP: name})["Id"])
print("running", flush=True)
time.sleep(3600)
"""


@pytest.fixture
def names(engine: Engine) -> Iterator[tuple[str, str]]:
    """Two apps, of which nothing is left afterwards."""
    both = app_name(), app_name()
    yield both
    for each in both:
        remove_app(engine, each)


def run(ledgers: Path, name: str) -> subprocess.Popen[str]:
    """A test run that has started a container."""
    process = subprocess.Popen([sys.executable, "-c", RUN, str(ledgers), name, BASE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    return process


def count(engine: Engine, name: str) -> int:
    return len(engine.client.containers(all=True, filters={"label": f"{APP}={name}"}))


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    with process:
        pass


def test_what_a_killed_run_has_left_goes_and_what_a_living_one_has_stays(
    tmp_path: Path, engine: Engine, names: tuple[str, str]
) -> None:
    killed, living = (run(tmp_path, each) for each in names)
    kill(killed)
    try:
        remove_leftovers(tmp_path)
        assert [count(engine, each) for each in names] == [0, 1]
        assert len(list(tmp_path.iterdir())) == 1
    finally:
        kill(living)


def test_a_run_that_has_ended_well_leaves_no_ledger(tmp_path: Path) -> None:
    record("t0123456789", tmp_path)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["t0123456789\n"]
    forget(tmp_path)
    assert list(tmp_path.iterdir()) == []
