"""`mldeploy rehearse`, and `--rehearse`, as a user types them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Command, Result
from tests.rehearsal.available import require_registry

pytestmark = pytest.mark.engine


@pytest.fixture
def mldeploy(tmp_path: Path) -> Iterator[Command]:
    """The command line, in the folder of an app that needs no building."""
    require_registry()
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text("from flask import Flask\n\napp = Flask(__name__)\n")
    (folder / "requirements.txt").write_text("flask\n")
    (folder / "mldeploy.toml").write_text('[app]\nname = "rehearsed"\nmodels = []\n')
    command = Command(tmp_path / "home", folder)
    yield command
    command("rehearse", "down")


def aws(done: Result) -> dict[str, object]:
    """The document of the AWS stand-in."""
    clouds = done.document["clouds"]
    assert isinstance(clouds, list)
    return next(each for each in clouds if each["name"] == "aws")


def test_it_goes_up_says_what_it_holds_and_goes_down(mldeploy: Command) -> None:
    assert aws(mldeploy("rehearse", "status", "--json"))["state"] == "down"
    up = aws(mldeploy("rehearse", "up", "aws", "--json"))
    assert (up["state"], up["cloud"], up["contents"]) == ("up", "AWS", [])
    assert aws(mldeploy("rehearse", "up", "aws", "--json")) == up
    assert "simulator running at" in mldeploy("rehearse", "status").out
    assert mldeploy("rehearse", "down").code == 0
    assert list(mldeploy.state.iterdir()) == []


def test_a_command_that_is_rehearsed_starts_it_and_says_so(mldeploy: Command) -> None:
    done = mldeploy("login", "-t", "ecr", "--rehearse", "--json")
    assert done.code == 0
    assert done.err.startswith("rehearsal: using the local AWS simulator at http://127.")
    assert done.document["rehearsal"] is True
    assert aws(mldeploy("rehearse", "status", "--json"))["state"] == "up"


@pytest.mark.exhaustive
def test_all_go_up_and_down_together(mldeploy: Command) -> None:
    """Those whose packages are installed, as they are here."""
    done = mldeploy("rehearse", "up", "--json")
    assert done.code == 0, done.err
    clouds = done.document["clouds"]
    assert isinstance(clouds, list)
    assert {each["state"] for each in clouds} == {"up"}
    assert mldeploy("rehearse", "down").code == 0
    assert list(mldeploy.state.iterdir()) == []


def test_a_cloud_that_nobody_plays_is_answered_with_those_that_are_played(mldeploy: Command) -> None:
    done = mldeploy("rehearse", "up", "atlantis", "--json")
    assert done.code == 2
    assert "aws" in str(done.error["todo"])


@pytest.mark.exhaustive
def test_a_rehearsal_leaves_the_real_journals_alone(mldeploy: Command) -> None:
    done = mldeploy("destroy", "-t", "ecr", "--rehearse", "--yes", "--json")
    assert done.code == 0, done.err
    assert not (mldeploy.state / "rehearsed").exists()


def test_a_target_without_a_stand_in_is_refused_before_anything_starts(mldeploy: Command) -> None:
    done = mldeploy("status", "--rehearse", "--json")
    assert done.code == 2
    assert done.error["what"] == "there is no simulator for the target local"
    assert "ecr, fargate" in str(done.error["todo"])
    assert not (mldeploy.state / "rehearsal.aws").exists()


def test_an_action_that_does_not_exist_is_answered_with_those_that_do(mldeploy: Command) -> None:
    done = mldeploy("rehearse", "sideways")
    assert done.code == 2
    assert "up" in done.err
    assert "Traceback" not in done.err


def test_without_a_registry_one_sentence_says_what_to_install(mldeploy: Command, tmp_path: Path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    done = mldeploy.with_env(PATH=str(empty))("rehearse", "up", "aws", "--json")
    assert done.code != 0
    assert "registry" in str(done.error["what"])
    assert "apt-get install docker-registry" in f"{done.error['what']} {done.error['todo']}"
    assert not (mldeploy.state / "rehearsal.aws").exists()
