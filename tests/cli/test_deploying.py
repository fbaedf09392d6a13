"""The walk's commands on the target `paper`: what they say, and in which form."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.command import Command

ON_PAPER = ("-t", "paper")
AUTHOR = ("-c", "user.name=A", "-c", "user.email=a@example.com")


def steps(document: dict[str, object], key: str) -> list[tuple[str, str]]:
    entries = document["steps"] if "steps" in document else document["changes"]
    assert isinstance(entries, list)
    return [(step["kind"], step[key]) for step in entries]


def test_the_life_of_a_deployment(paper: Command, name: str) -> None:
    plan = paper("plan", *ON_PAPER, "--json").document
    assert (plan["app"], plan["target"], plan["noop"]) == (name, "paper", False)
    assert steps(plan, "intent") == [("sheet", "create"), ("letter", "open")]

    deployed = paper("deploy", *ON_PAPER, "--json").document
    assert list(deployed) == [
        "app",
        "target",
        "url",
        "image",
        "steps",
        "remarks",
        "gap_seconds",
        "assumed",
        "environment",
        "canary",
        "agreement",
    ]
    assert deployed["url"] == "http://127.0.0.1:9"
    assert steps(deployed, "action") == [("sheet", "created"), ("letter", "created")]
    assert list(deployed["steps"][0]) == ["kind", "name", "title", "action", "seconds"]  # type: ignore[index]

    again = paper("deploy", *ON_PAPER, "--json").document
    assert steps(again, "action") == [("sheet", "unchanged"), ("letter", "unchanged")]
    assert paper("plan", *ON_PAPER, "--json").document["noop"] is True

    status = paper("status", *ON_PAPER, "--json").document
    assert status["since"] == "2026-11-21T08:00:00Z"
    assert steps(status, "state") == [("sheet", "present"), ("letter", "present")]

    assert paper("stop", *ON_PAPER, "--json").document["stopped"] is True
    assert paper("stop", *ON_PAPER, "--json").document["stopped"] is False
    assert paper("status", *ON_PAPER, "--json").document["url"] is None

    removed = paper("destroy", *ON_PAPER, "--yes", "--json").document["removed"]
    assert removed == [{"kind": "sheet", "name": name}]
    assert paper("destroy", *ON_PAPER, "--yes", "--json").document["removed"] == []
    assert not list(paper.state.rglob("*"))


def test_the_same_in_words(paper: Command, name: str) -> None:
    plan = paper("plan", *ON_PAPER)
    assert plan.err == ""
    assert "create  Cut a sheet" in plan.out
    assert "later   Write the letter" in plan.out

    deployed = paper("deploy", *ON_PAPER)
    assert deployed.err.splitlines()[0] == "Cut a sheet …"
    assert deployed.err.splitlines()[1].startswith("Cut a sheet: created in ")
    assert f"{name} is running at http://127.0.0.1:9" in deployed.out
    assert "mldeploy destroy -t paper" in deployed.out

    assert "up to date" in paper("plan", *ON_PAPER).out
    assert paper("open", *ON_PAPER).out == "http://127.0.0.1:9\n"
    assert "healthy" in paper("ps", *ON_PAPER).out
    assert paper("logs", *ON_PAPER, "--tail", "2").out == "line 998\nline 999\n"
    assert paper("logs", *ON_PAPER, "--tail", "2", "--json").document["lines"] == ["line 998", "line 999"]
    destroyed = paper("destroy", *ON_PAPER, "--yes")
    assert f"Remove the letter {name}: removed" in destroyed.err
    assert f"{name} is removed from paper." in destroyed.out
    again = paper("destroy", *ON_PAPER, "--yes")
    assert (again.out, again.err) == (f"{name} is not deployed to paper. Nothing to remove.\n", "")


def test_what_differs_is_said_and_mended(paper: Command) -> None:
    paper("deploy", *ON_PAPER)
    moved = paper.with_env(MLDEPLOY_TARGET_PAPER_URL="http://127.0.0.1:10")
    assert "url http://127.0.0.1:9 → http://127.0.0.1:10" in moved("plan", *ON_PAPER).out
    assert steps(moved("status", *ON_PAPER, "--json").document, "state")[1] == ("letter", "differs")
    assert "(url http://127.0.0.1:9 → http://127.0.0.1:10)" in moved("deploy", *ON_PAPER).err


def test_looking_changes_nothing(paper: Command) -> None:
    for arguments in (("plan",), ("status",), ("ps",), ("open",), ("logs",)):
        paper(*arguments, *ON_PAPER)
    assert not list(paper.state.rglob("*.lock")) + list(paper.state.rglob("*.journal"))


def test_the_commands_that_are_suggested_name_the_folder_too(paper: Command) -> None:
    result = paper("-C", str(paper.folder), "deploy", *ON_PAPER)
    assert f"mldeploy -C {paper.folder} logs -f -t paper" in result.out


def test_flags_are_above_every_file(paper: Command) -> None:
    result = paper("deploy", *ON_PAPER, "--port", "6000", "--json")
    assert result.document["remarks"] == ["on port 6000"]


def test_a_known_failure_is_said_in_words(paper: Command) -> None:
    failing = paper.with_env(MLDEPLOY_TARGET_PAPER_FAIL="known")
    result = failing("deploy", *ON_PAPER)
    assert result.code == 1
    assert result.err.splitlines()[-2:] == ["error: Write the letter: the pen: is dry", "  Fill it."]
    assert failing("deploy", *ON_PAPER, "--json").error == {
        "code": 1,
        "name": "FAILED",
        "where": "Write the letter: the pen",
        "what": "is dry",
        "todo": "Fill it.",
        "log": None,
    }


def test_the_traceback_goes_to_a_log_file_that_verbose_names(paper: Command) -> None:
    failing = paper.with_env(MLDEPLOY_TARGET_PAPER_FAIL="known")
    result = failing("-v", "deploy", *ON_PAPER)
    log = paper.state / "mldeploy.log"
    assert f"The traceback is in {log}" in result.err
    assert "Traceback" not in result.err
    assert "the pen: is dry" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_defect_names_its_log_file_unasked(paper: Command) -> None:
    failing = paper.with_env(MLDEPLOY_TARGET_PAPER_FAIL="defect")
    result = failing("deploy", *ON_PAPER)
    assert result.code == 70
    assert "Traceback" not in result.err
    assert f"The traceback is in {paper.state / 'mldeploy.log'}" in result.err
    assert "ZeroDivisionError: no ink" in (paper.state / "mldeploy.log").read_text()
    assert failing("deploy", *ON_PAPER, "--json").error["log"] == str(paper.state / "mldeploy.log")


def test_a_failure_needs_no_log_file(paper: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    homeless = paper.with_env(XDG_STATE_HOME=str(tmp_path / "file"))
    result = homeless("deploy", *ON_PAPER, "--json")
    assert result.code == 11
    assert result.error["log"] is None


def test_two_deployments_at_once(paper: Command) -> None:
    with paper.with_env(MLDEPLOY_TARGET_PAPER_WAIT="600").start("deploy", *ON_PAPER) as first:
        assert first.stderr is not None
        while "Write the letter" not in first.stderr.readline():
            pass
        second = paper("destroy", *ON_PAPER, "--yes", "--json")
        assert second.code == 8
        assert "`mldeploy deploy` of" in str(second.error["what"])
        assert f"process {first.pid}" in str(second.error["what"])
        first.terminate()
        assert first.wait(300) == 130


def test_a_taken_port_is_asked_about_on_a_terminal(paper: Command) -> None:
    taken = paper.with_env(MLDEPLOY_TARGET_PAPER_FAIL="port")
    with taken.on_terminal("deploy", *ON_PAPER) as terminal:
        terminal.expect("Port 5000 is used by somebody else. Use port 5001 instead? [Y/n]")
        terminal.press("\n")
        assert terminal.end() == 0
        assert "on port 5001" in terminal.text


@pytest.mark.parametrize("answer", ["n\n", "\x04"])
def test_a_taken_port_may_be_left_alone(paper: Command, answer: str) -> None:
    taken = paper.with_env(MLDEPLOY_TARGET_PAPER_FAIL="port")
    with taken.on_terminal("deploy", *ON_PAPER) as terminal:
        terminal.expect("[Y/n]")
        terminal.press(answer)
        assert terminal.end() == 1
        assert "is used by somebody else" in terminal.text.rpartition("error:")[2]


def test_nobody_is_asked_where_there_is_nobody(paper: Command) -> None:
    taken = paper.with_env(MLDEPLOY_TARGET_PAPER_FAIL="port")
    result = taken("deploy", *ON_PAPER)
    assert result.code == 1
    assert "--port 5001" in result.err
    with taken.on_terminal("deploy", *ON_PAPER, "--json") as terminal:
        assert terminal.end() == 1
        assert "[Y/n]" not in terminal.text


def test_destroy_asks_first(paper: Command, name: str) -> None:
    paper("deploy", *ON_PAPER)
    refused = paper("destroy", *ON_PAPER)
    assert refused.code == 2
    assert "--yes" in refused.err
    for answer in ("\n", "n\n"):
        with paper.on_terminal("destroy", *ON_PAPER) as terminal:
            terminal.expect("Remove these resources? [y/N]")
            assert f"letter {name}" in terminal.text
            terminal.press(answer)
            assert terminal.end() == 2
    assert steps(paper("status", *ON_PAPER, "--json").document, "state")[1] == ("letter", "present")
    with paper.on_terminal("destroy", *ON_PAPER) as terminal:
        terminal.expect("Remove these resources? [y/N]")
        terminal.press("y\n")
        assert terminal.end() == 0
    assert paper("status", *ON_PAPER, "--json").document["url"] is None


def test_what_runs_can_be_removed_when_the_folder_is_broken(paper: Command) -> None:
    paper("deploy", *ON_PAPER)
    (paper.folder / "app.py").unlink()
    assert paper("deploy", *ON_PAPER).code == 4
    assert paper("ps", *ON_PAPER).code == 0
    assert len(paper("destroy", *ON_PAPER, "--yes", "--json").document["removed"]) == 2  # type: ignore[arg-type]


def test_what_runs_can_be_removed_by_its_name_alone(paper: Command, name: str) -> None:
    paper("deploy", *ON_PAPER)
    (paper.folder / "mldeploy.toml").write_text("[app\n")
    refused = paper("destroy", *ON_PAPER, "--yes")
    assert refused.code == 3
    assert "--app NAME" in refused.err
    assert len(paper("destroy", *ON_PAPER, "--app", name, "--yes", "--json").document["removed"]) == 2  # type: ignore[arg-type]
    assert paper("destroy", "--app", "Not A Name").code == 3


def test_a_deployment_resumes_what_died(paper: Command) -> None:
    with paper.with_env(MLDEPLOY_TARGET_PAPER_WAIT="600").start("deploy", *ON_PAPER) as first:
        assert first.stderr is not None
        while "Write the letter" not in first.stderr.readline():
            pass
        first.kill()
    resumed = paper("deploy", *ON_PAPER)
    assert resumed.code == 0
    assert "Resuming: `mldeploy deploy`" in resumed.err
    assert json.loads(paper("deploy", *ON_PAPER, "--json").out)["steps"][1]["action"] == "unchanged"


def test_a_project_in_a_repository_is_fetched_for_every_command(paper: Command, name: str, tmp_path: Path) -> None:
    for words in (("init", "--quiet"), ("add", "."), (*AUTHOR, "commit", "--quiet", "--message=one")):
        subprocess.run(["git", "-C", str(paper.folder), *words], check=True)
    address = f"file://{paper.folder}"
    (tmp_path / "elsewhere").mkdir()
    elsewhere = replace(paper, folder=tmp_path / "elsewhere")
    deployed = elsewhere("-C", address, "deploy", *ON_PAPER)
    assert deployed.code == 0, deployed.err
    assert f"Fetching {address}" in deployed.err
    assert f"mldeploy -C {address} logs" in deployed.out
    assert elsewhere("-C", address, "status", *ON_PAPER, "--json").document["app"] == name
    refused = elsewhere("-C", address, "init")
    assert (refused.code, "Clone the repository with" in refused.err) == (2, True)
    assert elsewhere("-C", f"{address}#nowhere", "ps", *ON_PAPER).code == 4
    assert not list(elsewhere.folder.iterdir())
