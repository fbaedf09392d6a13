"""The completion of command lines in real shells."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # imported there without being declared

from mldeploy.core.errors import ExitCode
from mldeploy.providers.registry import built_in
from tests.cli.command import PROGRAM, Command
from tests.cli.completing import SHELLS, on_path, open_shell, press_tab, require_shell
from tests.cli.terminal import Terminal


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return require_shell(str(request.param))


@pytest.fixture
def installed(mldeploy: Command, tmp_path: Path) -> Command:
    """`mldeploy` on PATH, and an empty home."""
    return on_path(mldeploy, tmp_path)


@pytest.fixture
def terminal(shell: str, installed: Command) -> Iterator[Terminal]:
    """An interactive shell that has loaded the completion."""
    with open_shell(shell, installed) as terminal:
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


def test_an_installed_completion_works_at_the_first_tab(shell: str, installed: Command, tmp_path: Path) -> None:
    script = f"mldeploy --install-completion; exit {'$status' if shell == 'fish' else '$?'}"
    subprocess.run((shell, "-c", script), check=True, capture_output=True, env=installed.env, timeout=60)
    own = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/completions/mldeploy.fish"}[shell]
    with open_shell(shell, installed, f"source {tmp_path / own}") as terminal:
        press_tab(terminal, "mldeploy ps --target farg", "fargate")


@pytest.mark.parametrize("typed", ["mldeploy dest", "mldeploy ps --target=farg"])
def test_a_script_that_an_earlier_version_installed_still_works(shell: str, installed: Command, typed: str) -> None:
    script = Path(installed.env["HOME"]) / "earlier"
    script.write_text(get_completion_script(prog_name="mldeploy", complete_var="_MLDEPLOY_COMPLETE", shell=shell))
    start = "autoload -Uz compinit; compinit -u; " if shell == "zsh" else ""
    with open_shell(shell, installed, f"{start}source {script}") as terminal:
        press_tab(terminal, typed, "destroy" if typed.endswith("dest") else "--target=fargate")


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
