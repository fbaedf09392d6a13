"""The completion of command lines in real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.core.errors import ExitCode
from mldeploy.providers.registry import built_in
from tests.cli.command import PROGRAM, Command
from tests.cli.terminal import Terminal

SHELLS = {
    "bash": (("bash", "--norc", "--noprofile", "-i"), 'eval "$(mldeploy --show-completion)"'),
    "zsh": (("zsh", "-f", "-i"), 'autoload -Uz compinit; compinit -u; eval "$(mldeploy --show-completion)"'),
    "fish": (("fish", "--no-config", "-i"), "mldeploy --show-completion | source"),
}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if shutil.which(name) is None:
        assert "CI" not in os.environ, f"{name} is not installed: `make shells` installs it"
        pytest.skip(f"{name} is not installed: `make shells` installs it")
    return name


@pytest.fixture
def installed(mldeploy: Command, tmp_path: Path) -> Command:
    """`mldeploy` on PATH, and an empty home."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "mldeploy"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mldeploy "$@"\n')
    program.chmod(0o755)
    return mldeploy.with_env(PATH=f"{programs}:{os.environ['PATH']}", HOME=str(tmp_path), PS1="$ ")


@pytest.fixture
def terminal(shell: str, installed: Command) -> Iterator[Terminal]:
    """An interactive shell that has loaded the completion."""
    arguments, load = SHELLS[shell]
    with Terminal(arguments, env=installed.env, cwd=installed.folder, columns=120) as terminal:
        terminal.press(f"{load}; echo load''ed\n")
        terminal.expect("loaded")
        yield terminal


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("mldeploy ps --target farg", "mldeploy ps --target fargate"),
        ("mldeploy dest", "mldeploy destroy"),
        ("mldeploy deploy --no-roll", "mldeploy deploy --no-rollback"),
        ("mldeploy help dest", "mldeploy help destroy"),
    ],
)
def test_tab_completes_commands_options_and_targets(terminal: Terminal, typed: str, completed: str) -> None:
    terminal.press(f"{typed}\t")
    terminal.expect(completed)
    assert "error" not in terminal.text


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_the_completion_can_be_shown_and_installed(shell: str, installed: Command, option: str) -> None:
    # The shell must be the parent of mldeploy, so this is not the last command.
    script = f"mldeploy {option}; exit $status" if shell == "fish" else f"mldeploy {option}; exit $?"
    done = subprocess.run(
        (shell, "-c", script), capture_output=True, text=True, env=installed.env, check=False, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "mldeploy" in done.stdout or shell in done.stdout


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_a_shell_without_a_completion_is_told_so(mldeploy: Command, option: str) -> None:
    done = subprocess.run(
        ("dash", "-c", '"$@"; exit $?', "dash", *PROGRAM, option),
        capture_output=True,
        text=True,
        env=mldeploy.env,
        check=False,
    )
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith("error: dash: has no completion")
    assert "fish" in done.stderr


@pytest.mark.parametrize(
    ("words", "position", "completed"),
    [
        ("mldeploy de", 1, {"deploy", "destroy"}),
        ("mldeploy ps --target ", 3, {*built_in(), "paper"}),
        ("mldeploy ps --target pa", 3, {"paper"}),
        ("mldeploy help sc", 2, {"scale"}),
    ],
)
def test_the_completions_that_a_shell_gets(mldeploy: Command, words: str, position: int, completed: set[str]) -> None:
    request = {"_MLDEPLOY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    done = subprocess.run(PROGRAM, capture_output=True, text=True, env={**mldeploy.env, **request}, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) == completed


def test_fish_learns_whether_there_is_anything_to_complete(mldeploy: Command) -> None:
    for words, code in (("mldeploy de", 0), ("mldeploy deploy nothing ", 1)):
        request = {"_MLDEPLOY_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "is-args"}
        environment = {**mldeploy.env, **request, "_TYPER_COMPLETE_ARGS": words}
        done = subprocess.run(PROGRAM, capture_output=True, text=True, env=environment, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
