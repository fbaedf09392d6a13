"""Ctrl-C: the first asks, the second leaves; and the same by signal."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.cli.command import Command

ON_PAPER = ("-t", "paper")


def go(command: Command) -> Path:
    """The pipe from which a deaf step reads."""
    return Path(command.extra["MLDEPLOY_TARGET_PAPER_FOLDER"]) / "go"


@pytest.fixture
def slow(paper: Command) -> Command:
    return paper.with_env(MLDEPLOY_TARGET_PAPER_WAIT="600")


@pytest.fixture
def deaf(paper: Command) -> Command:
    os.mkfifo(go(paper))
    return paper.with_env(MLDEPLOY_TARGET_PAPER_DEAF="true")


def test_ctrl_c_stops_and_says_how_to_go_on(slow: Command) -> None:
    with slow.on_terminal("deploy", *ON_PAPER) as terminal:
        terminal.expect("dipping the pen")
        terminal.interrupt()
        assert terminal.end() == 130
    assert "Finishing the current step. Press Ctrl-C again to quit now." in terminal.text
    assert "stopped" in terminal.text
    assert "failed" not in terminal.text
    assert (
        "interrupted. Progress is saved. Run `mldeploy deploy` to resume, or `mldeploy destroy` to remove"
        in " ".join(terminal.text.split())
    )
    assert terminal.seen.rindex("\x1b[?25h") > terminal.seen.rindex("\x1b[?25l")


def test_what_was_stopped_can_be_resumed_and_destroyed(slow: Command) -> None:
    with slow.on_terminal("deploy", *ON_PAPER) as terminal:
        terminal.expect("dipping the pen")
        terminal.interrupt()
        assert terminal.end() == 130
    quick = slow.with_env(MLDEPLOY_TARGET_PAPER_WAIT="0")
    assert quick("deploy", *ON_PAPER).code == 0
    assert quick("destroy", *ON_PAPER, "--yes").code == 0
    assert not list(slow.state.rglob("*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_ctrl_c(slow: Command, number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("ignored from the start, as with nohup: every program that is started here ignores it, too")
    with slow.start("deploy", *ON_PAPER, "--json") as process:
        while not any("letter" in journal.read_text() for journal in slow.state.rglob("*.journal")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert '"name": "INTERRUPTED"' in out
    assert "Finishing the current step" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_first_step_ends_with_a_message(paper: Command, number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("ignored from the start, as with nohup: every program that is started here ignores it, too")
    paper("deploy", *ON_PAPER)
    with paper.on_terminal("destroy", *ON_PAPER) as terminal:
        terminal.expect("[y/N]")
        terminal.process.send_signal(number)
        assert terminal.end() == 130
    assert "error: mldeploy: interrupted" in terminal.text


def test_a_second_ctrl_c_leaves_at_once_and_leaves_the_terminal_whole(deaf: Command) -> None:
    with deaf.on_terminal("deploy", *ON_PAPER) as terminal:
        terminal.expect("dipping the pen")
        terminal.interrupt()
        terminal.expect("Press Ctrl-C again")
        assert terminal.process.poll() is None
        terminal.interrupt()
        assert terminal.end() == 130
    assert terminal.seen.rindex("\x1b[?25h") > terminal.seen.rindex("\x1b[?25l")
    removed = deaf("destroy", *ON_PAPER, "--yes", "--json").document["removed"]
    assert isinstance(removed, list)
    assert [each["kind"] for each in removed] == ["sheet"]


def test_a_stop_that_came_too_late_is_in_the_exit_code(deaf: Command) -> None:
    with deaf.on_terminal("deploy", *ON_PAPER) as terminal:
        terminal.expect("dipping the pen")
        terminal.interrupt()
        terminal.expect("Finishing")
        go(deaf).write_text("")
        assert terminal.end() == 130
    assert "is running at http://127.0.0.1:9" in terminal.text


def test_ctrl_c_leaves_a_question_and_a_log(paper: Command) -> None:
    paper("deploy", *ON_PAPER)
    with paper.on_terminal("destroy", *ON_PAPER) as terminal:
        terminal.expect("[y/N]")
        terminal.interrupt()
        assert terminal.end() == 130
    with paper.on_terminal("logs", "-f", *ON_PAPER) as terminal:
        terminal.expect("more")
        terminal.interrupt()
        assert terminal.end() == 130
        assert "error" not in terminal.text
    assert paper("open", *ON_PAPER).code == 0


INTERRUPTED_WHILE_LOADING = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # as in the foreground, wherever the tests run

class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "typer.main":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""


def test_a_ctrl_c_while_the_program_is_still_being_loaded(mldeploy: Command) -> None:
    plugins = mldeploy.home / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "sitecustomize.py").write_text(INTERRUPTED_WHILE_LOADING)
    done = mldeploy("--help")
    assert (done.code, done.out, done.err) == (130, "", "error: mldeploy: interrupted\n")
