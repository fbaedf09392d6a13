"""How an engine gets onto a machine, and what is said where it cannot."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError
from scripts.engine import advice, launch, wait
from scripts.machine import Machine

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may start an engine or become another user")


def set_up(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.engine"]
    return subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **environment})


@pytest.mark.engine
def test_an_engine_that_answers_is_left_alone_and_not_talked_about() -> None:
    ended = set_up({})
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_an_engine_that_the_user_has_named_is_never_replaced_by_another(tmp_path: Path) -> None:
    ended = set_up({"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"})
    assert ended.returncode == 1
    assert f"unix://{tmp_path}/nobody.sock" in ended.stderr
    assert "Traceback" not in ended.stderr


@ROOT_ONLY
@pytest.mark.engine
def test_a_user_who_may_not_use_the_socket_is_told_how_to_be_allowed(tmp_path: Path) -> None:
    socket = tmp_path / "docker.sock"
    as_nobody = f"""
import os, socket
from scripts import engine
engine.refusal()  # loads all there is to load, which nobody may perhaps not read
listening = socket.socket(socket.AF_UNIX)
listening.bind({str(socket)!r})
listening.listen()
os.chmod({str(socket)!r}, 0o600)
os.environ["DOCKER_HOST"] = "unix://{socket}"
os.setuid(65534)
engine.main()
"""
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    ended = subprocess.run([sys.executable, "-c", as_nobody], check=False, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "usermod -aG docker" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("machine", "remedy"),
    [
        (Machine("Darwin", frozenset(), root=False, systemd=False), "Docker Desktop"),
        (Machine("Linux", frozenset({"debian"}), root=False, systemd=True), "as root"),
        (Machine("Linux", frozenset({"fedora"}), root=True, systemd=True), "your distribution's Docker Engine"),
    ],
)
def test_a_machine_without_an_engine_gets_one_sentence_that_names_the_remedy(machine: Machine, remedy: str) -> None:
    nothing_there = EngineError("unix:///no/such/socket", "no Docker Engine answers there")
    sentence = advice(nothing_there, machine, default="unix:///no/such/socket")
    assert remedy in sentence
    assert sentence.count("\n") == 0


def test_an_engine_that_is_there_and_refuses_speaks_for_itself(tmp_path: Path) -> None:
    (tmp_path / "socket").touch()
    endpoint = f"unix://{tmp_path}/socket"
    refused = EngineError(endpoint, "you may not use it", "Ask.")
    machine = Machine("Linux", frozenset({"debian"}), root=False, systemd=True)
    assert advice(refused, machine, default=endpoint) == f"{endpoint}: you may not use it\nAsk."


def test_an_engine_that_ends_while_it_starts_is_reported_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    log = tmp_path / "log"
    daemon = launch(["sh", "-c", "echo failed to mount overlay; exit 1"], log)
    with pytest.raises(SystemExit, match=r"(?s)exit code 1.*failed to mount overlay"):
        wait(daemon, log)


def test_an_engine_that_never_answers_is_ended_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    log = tmp_path / "log"
    daemon = launch(["sh", "-c", "echo waiting for containerd; exec sleep 1200"], log)
    while not log.read_text():
        time.sleep(0.05)
    with pytest.raises(SystemExit, match=r"(?s)does not answer after 1 s.*waiting for containerd"):
        wait(daemon, log, seconds=1)
    assert daemon.wait(600) != 0


def test_an_engine_that_others_started_and_that_never_answers_has_its_log_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with pytest.raises(SystemExit, match=r"does not answer after 0 s; its log may say why .*journalctl"):
        wait(None, None, seconds=0)


@pytest.mark.engine
def test_an_engine_that_takes_its_time_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Never a second dockerd: even one with folders of its own would change the bridge and the rules of the machine's.
    real = Engine.connect()
    real.client.close()
    if not real.endpoint.startswith("unix://"):
        pytest.skip("the engine is not on this machine")
    late = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{late}")
    go, there = tmp_path / "go", real.endpoint.removeprefix("unix://")
    appear = f"until [ -e {go} ]; do sleep 0.1; done; sleep 0.5; ln -s {there} {late}; exec sleep 1200"
    daemon = launch(["sh", "-c", appear], tmp_path / "log")
    try:
        assert not late.exists()
        go.touch()
        wait(daemon, tmp_path / "log")
        assert daemon.poll() is None
    finally:
        daemon.terminate()
        daemon.wait(600)
