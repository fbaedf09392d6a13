"""`mldeploy doctor`, as a user sees it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.core.journal import Scope
from tests.cli.command import Command
from tests.doctor.fake_engine import FakeEngine
from tests.doctor.servers import Server

DIED = """
import os, signal, sys
from mldeploy.config.paths import state_folder
from mldeploy.core.journal import Journal, Scope
Journal(state_folder(), Scope(sys.argv[1], "local"), "mldeploy deploy")
os.kill(os.getpid(), signal.SIGKILL)
"""


PATIENT = """
from tests.doctor.patience import be_patient
be_patient()
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    with FakeEngine(tmp_path / "engine.sock") as engine:
        yield engine


@pytest.fixture
def server() -> Iterator[Server]:
    """The registry and the package index."""
    with Server() as server:
        yield server


@pytest.fixture
def healthy(mldeploy: Command, name: str, engine: FakeEngine, server: Server) -> Command:
    """The command line where everything is as it should be."""
    base = f"127.0.0.1:{server.port}/python"
    engine.has(base)
    config = f"""
[app]
name = "{name}"
entry = "app:app"
models = []
[build]
base_image = "{base}"
platform = "linux/amd64"
args = {{ PIP_INDEX_URL = "{server.url}", UV_DEFAULT_INDEX = "{server.url}" }}
[target.local]
port = 0
"""
    (mldeploy.folder / "mldeploy.toml").write_text(config)
    (mldeploy.home / "plugins" / "sitecustomize.py").write_text(PATIENT)
    home = {"HOME": str(mldeploy.home), "PIP_INDEX_URL": server.url, "UV_DEFAULT_INDEX": server.url}
    return mldeploy.with_env(DOCKER_HOST=engine.endpoint, NO_PROXY="127.0.0.1", **home)


@pytest.fixture
def dead(healthy: Command, tmp_path: Path) -> Command:
    """The same without an engine."""
    return healthy.with_env(DOCKER_HOST=f"unix://{tmp_path}/nobody.sock")


def test_where_nothing_is_wrong_it_says_so(healthy: Command) -> None:
    result = healthy("doctor")
    assert result.code == 0, result.out
    groups = [line for line in result.out.splitlines() if line and not line.startswith(" ")]
    assert groups == [
        *("Engine", "Folder", "Configuration", "Network", "Clock", "Target local"),
        "All checks passed.",
    ]
    assert all(line.startswith("  ok       ") for line in result.out.splitlines() if line.startswith(" "))
    assert result.err == ""
    assert healthy("doctor", "-q").out == ""


def test_an_error_is_an_exit_code_and_comes_with_what_to_do(dead: Command) -> None:
    result = dead("doctor")
    assert result.code == 1
    lines = result.out.splitlines()
    number = next(number for number, line in enumerate(lines) if line.startswith("  error    engine: "))
    assert lines[number + 1].startswith("             Start it")
    assert lines[-1].startswith("1 error and 1 warning.")
    terse = dead("doctor", "--quiet")
    assert terse.code == 1
    assert "  ok " not in terse.out


def test_warnings_alone_are_no_failure(healthy: Command, engine: FakeEngine) -> None:
    engine.version["Components"] = [{"Name": "Podman Engine"}]
    result = healthy("doctor", "--json")
    assert result.code == 0
    assert (result.document["healthy"], result.document["errors"], result.document["warnings"]) == (True, 0, 1)


def test_under_json_it_is_one_document(dead: Command) -> None:
    result = dead("doctor", "--json")
    assert result.code == 1
    assert (result.document["healthy"], result.document["target"]) == (False, "local")
    findings = result.document["findings"]
    assert isinstance(findings, list)
    assert {each["level"] for each in findings} == {"ok", "warning", "error"}
    (engine,) = (each for each in findings if each["group"] == "engine")
    assert engine["subject"] == "engine"
    assert engine["todo"]
    assert engine["fixable"] is False
    assert result.err == ""


def test_it_mends_what_is_safe_and_looks_again(healthy: Command, name: str) -> None:
    ended = subprocess.run([sys.executable, "-c", DIED, name], env=healthy.env, check=False)
    assert ended.returncode == -signal.SIGKILL
    lock = Scope(name, "local").file(healthy.state).with_suffix(".lock")
    assert lock.exists()
    report = healthy("doctor")
    assert "was interrupted before its first step" in report.out
    assert report.out.rstrip().endswith("Run `mldeploy doctor --fix` to fix 1 of them.")
    assert lock.exists(), "looking changes nothing"
    mended = healthy("doctor", "--fix")
    assert mended.code == 0
    assert mended.out.startswith("fixed  remove the lock of a command that was interrupted")
    assert mended.out.rstrip().endswith("All checks passed.")
    assert not lock.exists()
    again = healthy("doctor", "--fix", "--json")
    assert again.document["fixes"] == []


def test_a_broken_configuration_hides_nothing_else(healthy: Command) -> None:
    (healthy.folder / "mldeploy.toml").write_text("[app\n")
    result = healthy("doctor")
    assert result.code == 1
    assert "  ok       engine: " in result.out
    assert "  error    configuration: mldeploy.toml: is not valid TOML" in result.out
    assert result.out.count("TOML") == 1, result.out


def test_outside_of_any_app_it_looks_at_the_machine(healthy: Command, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    result = healthy("doctor", "-C", str(tmp_path / "nothing"), "--quiet")
    assert "there is no app in" in result.out


def test_a_target_without_checks_of_its_own_is_looked_at_as_far_as_possible(healthy: Command, tmp_path: Path) -> None:
    paper = healthy.with_env(MLDEPLOY_TARGET_PAPER_FOLDER=str(tmp_path))
    result = paper("doctor", "--target", "paper")
    assert result.code == 0
    assert "  ok       target: paper" in result.out
    assert "Target paper" not in result.out


def test_nothing_that_is_silent_holds_it_up(healthy: Command, engine: FakeEngine, server: Server) -> None:
    engine.hangs = server.hangs = True
    (healthy.home / "plugins" / "sitecustomize.py").unlink()
    result = healthy("doctor")
    assert result.code == 0, "what was not checked is not wrong"
    assert "  warning  engine: could not be checked: " in result.out
    assert "does not answer within" in result.out


@pytest.mark.parametrize("columns", [80, 40])
def test_on_a_terminal_long_lines_are_wrapped_below_their_text(dead: Command, columns: int) -> None:
    with dead.with_env(COLUMNS="").on_terminal("doctor", columns=columns, rows=200) as terminal:
        assert terminal.end() == 1
    lines = [line.rstrip() for line in terminal.text.replace("\r", "").splitlines()]
    start = next(number for number, line in enumerate(lines) if line == "Engine")
    assert [line for line in lines[start:] if len(line) > columns] == []
    wrapped = [line for line in lines[start:-1] if line.startswith(" " * 11)]
    assert wrapped
    heads = ("  ok       ", "  warning  ", "  error    ", " " * 11)
    assert all(line.startswith(heads) for line in lines[start:-1] if line.startswith(" "))
