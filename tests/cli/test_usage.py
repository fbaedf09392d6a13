"""The command line itself: options, wrong input, streams."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from mldeploy import __version__
from mldeploy.cli.app import PANELS
from mldeploy.providers.registry import BUILT_IN
from tests.cli.command import PROGRAM, Command

COMMANDS = [name for commands in PANELS.values() for name in commands]


def test_help_names_every_command(mldeploy: Command) -> None:
    result = mldeploy("--help")
    assert result.code == 0
    assert all(f" {name} " in result.out for name in COMMANDS)


def test_without_anything_it_shows_the_help(mldeploy: Command) -> None:
    assert mldeploy() == mldeploy("--help")


@pytest.mark.parametrize("arguments", [("version",), ("--version",)])
def test_version(mldeploy: Command, arguments: tuple[str, ...]) -> None:
    assert mldeploy(*arguments).out == f"mldeploy {__version__}\n"
    assert mldeploy(*arguments, "--json").document["version"] == __version__


@pytest.mark.parametrize(
    "heavy", ["docker", "pydantic", "requests", "rich.live", "mldeploy.providers", "mldeploy.config"]
)
def test_help_waits_for_nothing_heavy(mldeploy: Command, heavy: str) -> None:
    done = subprocess.run(
        (PROGRAM[0], "-X", "importtime", *PROGRAM[1:], "--help"),
        capture_output=True,
        text=True,
        env=mldeploy.env,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert heavy not in imported


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dploy",), "did you mean 'deploy'"),
        (("deploy", "--prot", "3"), "did you mean --port?"),
        (("deploy", "--port", "x"), "--port"),
        (("deploy", "--target"), "--target"),
        (("logs", "--tail", "-1"), "--tail"),
        (("ps", "more"), "more"),
        (("-q",), "no command"),
        (("--wat",), "--wat"),
        (("ps", "--target", "locl"), "did you mean 'local'?"),
        (("ps", "--target", "nowhere"), f"Known targets: {', '.join((*BUILT_IN, 'paper'))}."),
        (("logs", "-f", "--json"), "--follow"),
    ],
)
def test_a_wrong_command_line_says_what_is_meant(mldeploy: Command, arguments: tuple[str, ...], said: str) -> None:
    result = mldeploy(*arguments)
    assert result.code == 2
    assert said.lower() in result.err.lower()
    assert "Traceback" not in result.err
    if "--json" not in arguments:
        assert result.out == ""
        result = mldeploy("--json", *arguments)
    assert result.code == 2
    assert result.error["name"] == "USAGE"
    assert said.lower() in f"{result.error['what']} {result.error['todo']}".lower()


WANTED = {"ci": ("github", "--target", "ecr"), "rehearse": ("status",), "scale": ("1",), "exec": ("true",)}
"""What a command cannot do without."""
FOLDERLESS = ("rehearse", "version")
"""Commands that are not about an app."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_a_folder(paper: Command, name: str) -> None:
    result = paper("-C", ".", name, "-C", "/nowhere", *WANTED.get(name, ()))
    if name in FOLDERLESS:
        assert result.code == 0
    else:
        assert result.code == 4
        assert "/nowhere" in result.err


@pytest.mark.parametrize("arguments", [("-C", "/nowhere", "ps"), ("ps", "--project", "/nowhere")])
def test_the_folder_may_stand_before_and_after_the_command(paper: Command, arguments: tuple[str, ...]) -> None:
    result = paper(*arguments)
    assert result.code == 4
    assert "/nowhere" in result.err


def test_shared_options_may_stand_before_and_after_the_command(paper: Command) -> None:
    for arguments in (("--json", "ps", "-t", "paper"), ("ps", "-t", "paper", "--json")):
        assert paper(*arguments).document["instances"] == []


def test_help_is_one_document_too(mldeploy: Command) -> None:
    for arguments in (("--json", "--help"), ("ps", "--help", "--json")):
        assert "Usage" in str(mldeploy(*arguments).document["text"])


def test_a_reader_that_has_seen_enough_is_no_error(paper: Command) -> None:
    with paper.start("logs", "-t", "paper", "-f") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "line 900\n"
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("arguments", [("--help",), ("predict", "--help"), ("version",)], ids=" ".join)
def test_a_reader_that_went_before_it_read_anything_is_no_error(mldeploy: Command, arguments: tuple[str, ...]) -> None:
    with mldeploy.start(*arguments) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == ""


def test_a_result_that_could_not_be_written_is_an_error(paper: Command) -> None:
    with Path("/dev/full").open("w") as full:
        for arguments in (("ps", "-t", "paper", "--json"), ("ps", "-t", "paper"), ("wrong", "--json")):
            done = subprocess.run(
                (*PROGRAM, *arguments),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env=paper.env,
                cwd=paper.folder,
                check=False,
            )
            assert done.returncode == 1
            assert done.stderr.endswith("standard output: cannot be written (No space left on device)\n")


def test_results_are_for_machines_and_people_in_every_locale(paper: Command) -> None:
    result = paper.with_env(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii")(
        "plan", "-t", "paper"
    )
    assert result.code == 0
    assert result.out.isascii()


def test_quiet_leaves_the_url_alone(paper: Command) -> None:
    result = paper("deploy", "-t", "paper", "-q")
    assert (result.out, result.err) == ("http://127.0.0.1:9\n", "")


def test_json_leaves_the_document_alone_on_stdout(paper: Command) -> None:
    result = paper("deploy", "-t", "paper", "--json")
    assert json.loads(result.out)["url"] == "http://127.0.0.1:9"
    assert "Write the letter: created" in result.err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_defect(paper: Command, closed: str) -> None:
    command = f"{' '.join(PROGRAM)} deploy -t paper --json {closed}"
    done = subprocess.run(command, shell=True, env=paper.env, cwd=paper.folder, capture_output=True, check=False)  # noqa: S602
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "position", "completed"),
    [("mldeploy de", 1, {"deploy", "destroy"}), ("mldeploy ps --target ", 3, {*BUILT_IN, "paper"})],
)
def test_completion(mldeploy: Command, words: str, position: int, completed: set[str]) -> None:
    asked = {"_MLDEPLOY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    done = subprocess.run(PROGRAM, capture_output=True, text=True, env={**mldeploy.env, **asked}, check=False)
    assert set(done.stdout.split()) == completed


def test_no_color_is_obeyed_on_a_terminal(paper: Command) -> None:
    for command in (paper.with_env(NO_COLOR="1"), paper):
        flags = () if "NO_COLOR" in command.extra else ("--no-color",)
        with command.on_terminal("deploy", "-t", "paper", *flags) as terminal:
            assert terminal.end() == 0
            assert "\x1b[3" not in terminal.seen


def test_nothing_is_written_into_the_users_folder(paper: Command) -> None:
    before = sorted(paper.folder.iterdir())
    for arguments in (("plan",), ("deploy",), ("status",), ("ps",), ("stop",), ("destroy", "--yes")):
        assert paper(*arguments, "-t", "paper").code == 0
    assert sorted(paper.folder.iterdir()) == before


def test_no_workflow_can_be_written_for_a_target_of_another_package_s(paper: Command) -> None:
    done = paper("ci", "github", "--target", "paper")
    assert done.code == 2
    assert "nothing is known of how a workflow signs in to paper" in done.err
