"""Whoever is killed leaves nothing behind: no registry, and no container once the next stand-in begins."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.orphans import OWNER, is_orphaned, owner_label, remove_orphans
from tests.rehearsal.available import require_registry
from tests.sampled import BASE

pytestmark = pytest.mark.engine

REGISTRY = """
import sys, time
from pathlib import Path
from mldeploy.rehearsal.registry.program import RegistryProgram
program = RegistryProgram(Path(sys.argv[1]), sys.argv[2])
print(program.pid, flush=True)
time.sleep(3600)
"""
OWNED = """
import sys, time
from mldeploy.image.engine import Engine
from mldeploy.rehearsal.containers.engine import EngineHost
from mldeploy.rehearsal.containers.host import LaunchSpec
host = EngineHost(Engine.connect())
container = host.start(LaunchSpec(sys.argv[1], {"mldeploy.test": sys.argv[2]}, {}, 0, 0, entrypoint=("sleep", "3600")))
print(container.id, flush=True)
time.sleep(3600)
"""


def start(script: str, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """A process with this script, and the first line that it prints."""
    process = subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen[str], by: int) -> None:
    process.send_signal(by)
    with process:
        pass


@pytest.fixture
def mark(engine: Engine) -> Iterator[str]:
    """The label of one test's containers."""
    value = uuid.uuid4().hex
    yield value
    for each in containers(engine, value):
        engine.client.remove_container(each, force=True, v=True)


def containers(engine: Engine, mark: str) -> list[str]:
    listed = engine.client.containers(all=True, filters={"label": f"mldeploy.test={mark}"})
    return [str(each["Id"]) for each in listed]


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_registry_ends_with_its_process(tmp_path: Path, by: int) -> None:
    require_registry()
    address = f"127.{uuid.uuid4().int % 200 + 20}.{uuid.uuid4().int % 250}.1:5000"
    process, pid = start(REGISTRY, str(tmp_path), address)
    registry = psutil.Process(int(pid))
    assert registry.name() in ("docker-registry", "registry")
    end(process, by)
    psutil.wait_procs([registry], timeout=600)
    assert not registry.is_running() or registry.status() == psutil.STATUS_ZOMBIE


def test_containers_of_a_killed_process_go_and_those_of_a_living_one_stay(engine: Engine, mark: str) -> None:
    killed, lost = start(OWNED, BASE, mark)
    living, kept = start(OWNED, BASE, mark)
    try:
        remove_orphans(engine)
        assert sorted(containers(engine, mark)) == sorted((lost, kept))
        end(killed, signal.SIGKILL)
        remove_orphans(engine)
        assert containers(engine, mark) == [kept]
    finally:
        end(living, signal.SIGKILL)


def test_a_container_of_nobody_is_left_alone(engine: Engine, mark: str) -> None:
    labels = {"mldeploy.test": mark}
    made = engine.client.create_container(BASE, "true", labels=labels)["Id"]
    remove_orphans(engine)
    assert containers(engine, mark) == [made]


def test_only_a_process_of_this_system_can_be_known_to_be_gone() -> None:
    system, pid, started = owner_label().split("/")
    assert not is_orphaned(f"{system}/{pid}/{started}")
    assert is_orphaned(f"{system}/{pid}/{time.time() - 10**8}"), "another process of the same number"
    for foreign in (f"another/{pid}/1.0", f"{system}/none/1.0", f"{system}/1", "", "x"):
        assert not is_orphaned(foreign)
    assert OWNER.startswith("mldeploy.rehearsal.")
