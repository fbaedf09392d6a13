"""No thread outlives a command, whatever does not answer; a stuck thread cannot crash the end of the process."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from mldeploy.cli.main import main
from mldeploy.core.errors import ExitCode
from tests.doctor.harness import Patient


@pytest.fixture
def silent() -> Iterator[str]:
    """An address of this machine that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield "{}:{}".format(*server.getsockname())


@pytest.mark.usefixtures("impatient")
def test_no_thread_outlives_the_doctor(patient: Patient, silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{silent}")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{silent}/simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://{silent}/simple")
    before = threading.enumerate()
    assert main(["-C", str(patient.folder), "doctor"], join_seconds=300) == ExitCode.FAILED
    assert [each for each in threading.enumerate() if each not in before] == []


STUCK = """
import sys, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
from mldeploy.cli.start import main
sys.exit(main())
"""


@pytest.mark.parametrize(("argument", "code"), [("--version", 0), ("--no-such-option", 2)])
def test_a_stuck_thread_changes_neither_output_nor_exit_code(argument: str, code: int) -> None:
    ended = subprocess.run([sys.executable, "-c", STUCK, argument], capture_output=True, timeout=300, check=False)
    assert ended.returncode == code
    assert ended.stdout if code == 0 else ended.stderr
    assert b"Fatal" not in ended.stderr
