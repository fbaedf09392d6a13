"""The command line itself: options, wrong input, streams."""

from __future__ import annotations

import gc
import itertools
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import cast

import pytest

from mldeploy import __version__
from mldeploy.cli.app import ENTRIES, PANELS, HelpDoc
from mldeploy.cli.main import main
from mldeploy.providers.registry import built_in
from tests.cli.command import PROGRAM, Command

COMMANDS = [name for commands in PANELS.values() for name in commands]


def test_help_names_every_command(mldeploy: Command) -> None:
    result = mldeploy("--help")
    assert result.code == 0
    assert all(f" {name} " in result.out for name in COMMANDS)


def test_without_arguments_it_names_the_commands_to_begin_with(mldeploy: Command) -> None:
    result = mldeploy()
    assert (result.code, result.err) == (0, "")
    commands = [line.split()[1] for line in result.out.splitlines() if line.startswith("  mldeploy ")]
    assert commands == ["init", "deploy", "predict"]
    assert "mldeploy --help" in result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_examples_and_whole_paragraphs(mldeploy: Command, name: str) -> None:
    doc = HelpDoc.of(ENTRIES[name].load())
    assert doc.paragraphs[0] == ENTRIES[name].summary, "the line in `mldeploy --help` is the first one of its own help"
    assert doc.examples[0].startswith(f"mldeploy {name}")
    for columns in (80, 120):
        help_text = mldeploy.with_env(COLUMNS=str(columns))(name, "-h").out
        assert all(f"   {example} " in help_text for example in doc.examples)
        lines = [line.strip() for line in help_text.partition("╭")[0].splitlines()][3:]
        for line, following in itertools.pairwise(lines):
            if line and following:
                assert len(line) + 1 + len(following.split()[0]) > columns - 2, "the next word would have fitted"


def test_flags_have_no_type_in_the_help(mldeploy: Command) -> None:
    for arguments in (("--help",), ("deploy", "--help"), ("help", "check")):
        assert "bool" not in mldeploy(*arguments).out


@pytest.mark.parametrize(
    ("arguments", "same"),
    [
        (("-h",), ("--help",)),
        (("help",), ("--help",)),
        (("deploy", "-h"), ("deploy", "--help")),
        (("help", "deploy"), ("deploy", "--help")),
        (("help", "help"), ("help", "--help")),
    ],
)
def test_help_can_be_asked_for_in_several_ways(
    mldeploy: Command, arguments: tuple[str, ...], same: tuple[str, ...]
) -> None:
    assert mldeploy(*arguments) == mldeploy(*same)


@pytest.mark.parametrize("arguments", [("version",), ("--version",), ("-V",)])
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
    ("arguments", "message"),
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
        (("ps", "--target", "nowhere"), f"Known targets: {', '.join((*built_in(), 'paper'))}."),
        (("logs", "-f", "--json"), "--follow"),
        (("help", "dploy"), "did you mean 'deploy'"),
        (("help", "deploy", "app.port"), "only `mldeploy help config` takes a key"),
        (("help", "config", "app.prt"), 'did you mean "app.port"?'),
        (("help", "config", "port"), 'did you mean "app.port"?'),
        (("help", "config", "target.locl"), "did you mean 'local'?"),
        (("ci", "jenkins"), "'jenkins' is not one of 'github'"),
        (("rehearse", "start"), "'start' is not one of 'up', 'down', 'status'"),
        (("scale", "0"), "0 is less than 1"),
        (("scale", "many"), "'many' is not an integer"),
    ],
)
def test_a_wrong_command_line_says_what_is_meant(mldeploy: Command, arguments: tuple[str, ...], message: str) -> None:
    result = mldeploy(*arguments)
    assert result.code == 2
    assert message.lower() in result.err.lower()
    assert "Traceback" not in result.err
    if "--json" not in arguments:
        assert result.out == ""
        result = mldeploy("--json", *arguments)
    assert result.code == 2
    assert result.error["name"] == "USAGE"
    assert message.lower() in f"{result.error['what']} {result.error['todo']}".lower()


WANTED = {
    "canary": ("status",),
    "ci": ("github", "--target", "ecr"),
    "promote": ("staging", "production"),
    "rehearse": ("status",),
    "scale": ("1",),
    **dict.fromkeys(("keys", "secrets"), ("list",)),
    "exec": ("true",),
    **dict.fromkeys(("login", "push", "policy"), ("--target", "ecr")),
    "manifests": ("--target", "kubernetes"),
}
"""What a command cannot do without."""
FOLDERLESS = ("rehearse", "version", "help")
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
        assert process.wait(300) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("arguments", [("--help",), ("predict", "--help"), ("version",)], ids=" ".join)
def test_a_reader_that_went_before_it_read_anything_is_no_error(mldeploy: Command, arguments: tuple[str, ...]) -> None:
    with mldeploy.start(*arguments) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(300) == 0
        assert process.stderr.read() == ""


def test_a_result_that_could_not_be_written_is_an_error(paper: Command) -> None:
    with Path("/dev/full").open("w") as full:
        for arguments in (
            ("ps", "-t", "paper", "--json"),
            ("ps", "-t", "paper"),
            ("wrong", "--json"),
            ("--help",),
            ("deploy", "--help"),
            ("help", "deploy", "--json"),
            ("version",),
            ("--show-completion",),
            ("logs", "-t", "paper"),
            ("exec", "-t", "paper", "--help"),
            (),
        ):
            done = subprocess.run(
                # The completion is that of the shell that is the parent.
                ("bash", "-c", '"$@"; exit $?', "bash", *PROGRAM, *arguments),
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


WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {PACKAGES} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""


@pytest.mark.parametrize(
    ("packages", "arguments", "extra"),
    [
        (["moto"], ("rehearse", "up", "aws"), "rehearsal"),
        (["trustme"], ("plan", "--target", "gar", "--rehearse"), "rehearsal"),
        (["boto3", "botocore"], ("plan", "--target", "fargate"), "aws"),
        (["kubernetes"], ("ps", "--target", "kubernetes"), "kubernetes"),
        (["websocket"], ("ps", "--target", "kubernetes"), "kubernetes"),
        (["azure"], ("login", "--target", "acr"), "azure"),
        (["cyclonedx"], ("check", "--sbom", "bom.json"), "sbom"),
    ],
)
def test_a_missing_extra_is_a_usage_error_with_the_command_that_installs_it(
    mldeploy: Command, packages: list[str], arguments: tuple[str, ...], extra: str
) -> None:
    plugins = mldeploy.home / "plugins"
    (plugins / "sitecustomize.py").write_text(WITHOUT.replace("{PACKAGES}", repr(packages)))
    result = mldeploy(*arguments)
    assert result.code == 2
    assert "are not installed" in result.err
    assert f"pip install 'mldeploy[{extra}]'" in result.err


def test_the_doctor_lists_a_missing_extra_among_its_findings(mldeploy: Command) -> None:
    plugins = mldeploy.home / "plugins"
    (plugins / "sitecustomize.py").write_text(WITHOUT.replace("{PACKAGES}", repr(["boto3", "botocore"])))
    result = mldeploy("doctor", "--target", "fargate", "--json")
    assert result.code == 1
    findings = cast("list[dict[str, str]]", result.document["findings"])
    (missing,) = (each for each in findings if "are not installed" in each["what"])
    assert (missing["group"], missing["subject"], missing["level"]) == ("configuration", "target", "error")
    assert missing["todo"] == "Run `pip install 'mldeploy[aws]'`."
    assert {"engine", "folder"} <= {each["group"] for each in findings}, "the other checks ran"


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
    assert "the package of paper declares no sign-in for CI" in done.err


def test_a_command_that_runs_in_this_process_leaves_its_streams_as_they_were() -> None:
    """What it wraps around stdout shares the stream below, and must not close it at its own end."""
    stream, hook = sys.stdout, threading.excepthook
    assert main(["version"]) == 0
    gc.collect()
    assert (sys.stdout, threading.excepthook) == (stream, hook)
    assert not stream.closed
    assert main(["no-such-command"]) == 2
    gc.collect()
    assert not stream.closed


def test_a_setting_is_explained_without_a_folder_of_documents(mldeploy: Command) -> None:
    every = mldeploy("help", "config").out
    assert "[build]  base_image" in every
    assert "[target.fargate]" in every
    one = mldeploy("help", "config", "target.local.port").out
    assert one.startswith("target.local.port\nThe port of this machine")
    assert "MLDEPLOY_TARGET_LOCAL_PORT" in one
    assert "build.index_url\n" in mldeploy("help", "config", "build").out
    assert "Default: `5000`" in str(mldeploy("help", "config", "app.port", "--json").document["text"])
