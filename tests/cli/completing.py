"""Shells that have loaded the completion of `mldeploy`, and what they get for a line that is being typed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.cli.terminal import Terminal

SHELLS = {
    "bash": (("bash", "--norc", "--noprofile", "-i"), 'eval "$(mldeploy --show-completion)"'),
    "zsh": (("zsh", "-f", "-i"), 'autoload -Uz compinit; compinit -u; eval "$(mldeploy --show-completion)"'),
    "fish": (("fish", "--no-config", "-i"), "mldeploy --show-completion | source"),
}
_PRINTER = """#!/bin/sh
if [ -z "$_MLDEPLOY_COMPLETE" ] && [ "${1#--}" = "$1" ]; then
    for each; do printf '<%s>' "$each"; done
    echo ' were given'
    exit
fi
"""
_TRIES = 5
"""An answer that takes longer than its time limit is left out, on a machine that is busy enough."""


def require_shell(name: str) -> str:
    """Skip the test on a developer's machine without the shell; where CI is set, such a test fails instead."""
    if shutil.which(name) is None:
        assert "CI" not in os.environ, f"{name} is not installed: `make shells` installs it"
        pytest.skip(f"{name} is not installed: `make shells` installs it")
    return name


def on_path(mldeploy: Command, folder: Path) -> Command:
    """Return the command with `mldeploy` on PATH, and with an empty home.

    It answers shells that ask for completions, and `--show-completion`. Otherwise it prints the arguments that it is
    given.
    """
    programs = folder / "bin"
    programs.mkdir()
    program = programs / "mldeploy"
    program.write_text(f'{_PRINTER}exec {sys.executable} -m mldeploy "$@"\n')
    program.chmod(0o755)
    return mldeploy.with_env(PATH=f"{programs}:{os.environ['PATH']}", HOME=str(folder), PS1="$ ")


@contextmanager
def open_shell(shell: str, command: Command, load: str = "") -> Iterator[Terminal]:
    """An interactive shell that has loaded the completion. load: how; as the manual says, if it is not given."""
    arguments, usual = SHELLS[shell]
    with Terminal(arguments, env=command.env, cwd=command.folder, columns=160) as terminal:
        terminal.press(f"{load or usual}; echo load''ed\n")
        terminal.expect("loaded")
        yield terminal


def press_tab(terminal: Terminal, typed: str, expected: str) -> None:
    """Type, press TAB and Enter, and require that the program is given the expected last argument."""
    for _ in range(_TRIES):
        terminal.seen = ""
        terminal.press(f"{typed}\t\n")
        terminal.expect(" were given")
        if f"<{expected}> were given" in terminal.text:
            return
    raise AssertionError(f"<{expected}> was not completed:\n{terminal.text}")


def complete(mldeploy: Command, line: str, shell: str = "bash") -> list[str]:
    """Return the lines that a shell gets for a typed line. Nothing is written to standard error."""
    request = {"_MLDEPLOY_COMPLETE": f"complete_{shell}", "_MLDEPLOY_LINE": line, "_TYPER_COMPLETE_ARGS": line}
    done = mldeploy.with_env(**request)()
    assert done.code in (0, 3), done
    assert done.err == ""
    return done.out.splitlines()
