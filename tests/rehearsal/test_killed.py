"""A stand-in whose start is killed leaves nothing behind, and a command whose stand-in is killed ends soon."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mldeploy.cli.stand_ins import find_stand_in, start_for_target
from mldeploy.core.errors import ExitCode
from mldeploy.core.monitor import Cancel
from mldeploy.rehearsal.record import RehearsalError
from tests.rehearsal.available import require_registry

pytestmark = pytest.mark.engine
AWS = find_stand_in("aws")
UP = [sys.executable, "-m", "mldeploy", "rehearse", "up", "aws"]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    require_registry()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield tmp_path / "mldeploy"
    AWS.down(tmp_path / "mldeploy")


def programs(state: Path) -> list[psutil.Process]:
    """All processes that name the stand-in's folder: itself, and what it has started."""
    folder, running = str(AWS.folder(state)), []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(word.startswith(folder) for word in each.cmdline()) and each.status() != psutil.STATUS_ZOMBIE:
                running.append(each)
    return running


FEW, MOMENTS = (0.0, 0.8), (0.2, 0.4, 1.2, 1.6, 2.0, 2.5)


@pytest.mark.parametrize("delay", [*FEW, *(pytest.param(each, marks=pytest.mark.exhaustive) for each in MOMENTS)])
def test_down_ends_a_stand_in_whose_start_was_killed(state: Path, delay: float) -> None:
    with subprocess.Popen(UP, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as up:
        while not programs(state) and up.poll() is None:
            time.sleep(0.01)
        time.sleep(delay)
        up.kill()
    assert AWS.down(state)
    assert programs(state) == []
    assert not AWS.folder(state).exists()
    time.sleep(1)
    assert not AWS.folder(state).exists(), "nothing comes up later"


def test_a_command_is_stopped_when_its_stand_in_ends(state: Path) -> None:
    stand_in, cancel = start_for_target("fargate", state), Cancel()

    def work() -> None:
        with stand_in.watched(cancel):
            process = stand_in.record.processes[0].find()
            assert process
            process.kill()
            assert cancel.wait(600)
            raise ConnectionRefusedError

    with pytest.raises(RehearsalError, match="AWS simulator ended") as raised:
        work()
    assert raised.value.exit_code is ExitCode.REMOTE
