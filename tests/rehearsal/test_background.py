"""The background process of a rehearsal: reuse, restart, and stop without leftovers."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from mldeploy.core.errors import ExitCode
from mldeploy.image.engine import Engine
from mldeploy.rehearsal.aws import Rehearsal, rehearsing
from mldeploy.rehearsal.gateway.proxy import StandInObject
from mldeploy.rehearsal.record import LABEL, RECORD_FILE, RehearsalRecord
from mldeploy.rehearsal.registry.program import RegistryProgram
from mldeploy.rehearsal.standins import AWS, SimulatorNotInstalledError, StandIn
from tests.rehearsal.account import BASE
from tests.rehearsal.available import require_registry

pytestmark = pytest.mark.engine


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder in which nothing runs any more afterwards."""
    require_registry()
    yield tmp_path
    AWS.down(tmp_path)


def alive(record: RehearsalRecord) -> list[psutil.Process]:
    return [running for process in record.processes if (running := process.find())]


def contents(record: RehearsalRecord) -> tuple[StandInObject, ...]:
    with closing(Rehearsal(record)) as rehearsal:
        return rehearsal.contents()


def test_it_is_started_once_however_many_ask_for_it(state: Path) -> None:
    with ThreadPoolExecutor() as pool:
        records = list(pool.map(lambda _: AWS.up(state), range(3)))
    assert len({record.url for record in records}) == 1
    assert AWS.running(state) == records[0]
    assert contents(records[0]) == ()


def test_nothing_is_left_of_it(state: Path, engine: Engine) -> None:
    record = AWS.up(state)
    tag = f"t{uuid.uuid4().hex[:10]}"
    engine.client.tag(BASE, f"{record.registry}/app", tag)
    container = engine.client.create_container(BASE, "true", labels={LABEL: record.name})
    assert AWS.down(state)
    assert alive(record) == []
    assert list(state.iterdir()) == []
    assert container["Id"] not in [each["Id"] for each in engine.client.containers(all=True)]
    names = [name for image in engine.client.images() for name in image["RepoTags"] or ()]
    assert not [name for name in names if name.startswith(record.registry)]
    assert not AWS.down(state)
    assert AWS.running(state) is None


@pytest.mark.exhaustive
@pytest.mark.parametrize("victim", [0, 1], ids=["stand-in", "registry"])
def test_one_that_was_killed_is_noticed_and_replaced(state: Path, engine: Engine, victim: int) -> None:
    first = AWS.up(state)
    container = engine.client.create_container(BASE, "true", labels={LABEL: first.name})
    alive(first)[victim].kill()
    psutil.wait_procs(alive(first)[victim : victim + 1], timeout=600)
    assert AWS.running(state) is None
    second = AWS.up(state)
    assert second.name != first.name
    assert alive(first) == []
    assert container["Id"] not in [each["Id"] for each in engine.client.containers(all=True)]
    assert contents(second) == ()


@pytest.mark.exhaustive
def test_one_of_another_version_is_ended_and_replaced(state: Path) -> None:
    """What it has written down has another form than ours, but for what it takes to end it."""
    first = AWS.up(state)
    file = AWS.folder(state) / RECORD_FILE
    content = json.loads(file.read_text())
    del content["region"]
    file.write_text(json.dumps({**content, "added": "later"}))
    assert AWS.running(state) is None
    second = AWS.up(state)
    assert second.name != first.name
    assert alive(first) == []


def test_the_registry_of_a_stand_in_that_was_killed_ends_too(state: Path) -> None:
    """One that was killed as it started has no record."""
    folder = AWS.folder(state)
    program = RegistryProgram(folder / "registry")
    registry = psutil.Process(program.pid)
    assert AWS.down(state)
    assert not registry.is_running() or registry.status() == psutil.STATUS_ZOMBIE
    assert not folder.exists()
    program.close()


def test_two_do_not_meet(tmp_path: Path) -> None:
    with rehearsing(tmp_path / "one") as one, rehearsing(tmp_path / "other") as other:
        assert one.record.url != other.record.url
        assert one.record.registry != other.record.registry
        assert one.record.name != other.record.name


def test_a_tests_own_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    script = f"""
import os
from pathlib import Path
from mldeploy.rehearsal.aws import rehearsing
with rehearsing(Path({str(tmp_path / "aws")!r})):
    os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    record = RehearsalRecord.read(tmp_path / "aws")
    processes = alive(record) if record else []
    _, left = psutil.wait_procs(processes, timeout=600)
    assert left == []


def test_a_program_that_lacks_a_package_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needy.py").write_text("import there_is_no_such_package\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    needy = StandIn("needy", "Needy", "needy", requirement="needy-plugin[rehearsal]")
    with pytest.raises(SimulatorNotInstalledError) as caught:
        needy.up(tmp_path / "state")
    assert caught.value.exit_code is ExitCode.USAGE
    assert "there_is_no_such_package is missing" in caught.value.what
    assert caught.value.todo == "Run `pip install 'needy-plugin[rehearsal]'`."
