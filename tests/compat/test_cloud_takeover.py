"""What an earlier version made on a cloud is taken over, on the stand-in for that cloud.

For all but Google's targets the requests with which the earlier version made it are sent to a fresh stand-in, so that
what is there is what that version would have left; its journal lies in the state folder. Then `status`, `deploy` of the
same folder, `history` and `destroy` work on it. Google's targets speak gRPC, which is not recorded: for them, and so
that both ways agree for all, what a fresh deployment makes is compared by the names of calls and things and by tags.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.compat.tape import play
from tests.compat.world import CLOUDS, RECORD, REGISTRIES, StandIn, User, alone, load, recorded_targets

pytestmark = pytest.mark.engine
QUICK: tuple[str, ...] = ()
"""Tried by every run of the tests; the others by the one that tries everything."""
GRPC = ("gar", "gcr", "gke")


@dataclass(frozen=True)
class Cloud:
    """A target on a stand-in that somebody's commands use."""

    user: User
    target: str
    recorded: Mapping[str, Any]

    @property
    def stand_in(self) -> StandIn:
        return StandIn.of(self.user, CLOUDS[self.target])

    @property
    def verb(self) -> str:
        return "push" if self.target in REGISTRIES else "deploy"

    def run(self, *words: str) -> Any:
        return self.user.run(*words, "--target", self.target, "--rehearse")

    def take_over_files(self) -> None:
        """Put the earlier version's journal where it would have been."""
        for name, text in self.recorded["files"].items():
            file = self.user.state / f"rehearsal.{CLOUDS[self.target]}" / "journals" / self.stand_in.fill(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.stand_in.fill(text), encoding="utf-8")
            file.chmod(0o600)

    def contents(self) -> list[tuple[str, str, dict[str, str]]]:
        """What is there, by kind, name and tags."""
        return _things(json.loads(self.stand_in.hide(json.dumps(self.stand_in.look("contents")))))


@contextmanager
def cloud(folder: Path, target: str) -> Iterator[Cloud]:
    """A fresh stand-in, and the recorded image on the engine, until the block ends."""
    user = User(folder)
    user.write_app()
    with alone() as client:
        client.images.load((RECORD / "image.tar").read_bytes())
        made = Cloud(user, target, load(f"{target}.json"))
        try:
            made.run("status")  # starts it
            yield made
        finally:
            user.run("rehearse", "down")


def _some(targets: tuple[str, ...]) -> list[Any]:
    return [pytest.param(each, marks=() if each in QUICK else pytest.mark.exhaustive) for each in targets]


@pytest.mark.parametrize("target", _some(tuple(each for each in recorded_targets() if each not in GRPC)))
def test_what_an_earlier_version_made_is_taken_over(tmp_path: Path, target: str) -> None:
    with cloud(tmp_path, target) as now:
        image = {**load("image.json"), **now.recorded["image"]}
        play(now.stand_in, now.recorded["requests"], image)
        now.take_over_files()
        assert now.contents() == _things(now.recorded["contents"])
        _is_taken_over(now)
        assert now.contents() == []


def _is_taken_over(now: Cloud) -> None:
    before = len(now.stand_in.writing())
    if now.verb == "deploy":
        _until_present(now)
    done = now.run(now.verb)
    assert {step["action"] for step in done["steps"]} == {"unchanged"}
    assert now.stand_in.hide(done["image"]["reference"]) == now.recorded["reference"]
    assert now.stand_in.hide(done.get("url", "")) == now.recorded["url"]
    status = now.run("status")
    assert {step["state"] for step in status["steps"]} == {"present"}
    assert now.stand_in.writing()[before:] == []
    if now.verb == "deploy":
        assert [each["state"] for each in now.run("history")["releases"]] == ["serving"]
    removed = now.run("destroy", "--yes")["removed"]
    assert {(each["kind"], each["name"]) for each in removed} >= {tuple(each) for each in now.recorded["removed"]}


def _until_present(now: Cloud) -> None:
    """The platform has been told; it takes its time to start what it was told to. `logs` waits for nothing."""
    steps: list[dict[str, Any]] = []
    for _ in range(30):
        steps = now.run("status")["steps"]
        if {step["state"] for step in steps} == {"present"}:
            return
    pytest.fail(str([step for step in steps if step["state"] != "present"]))


@pytest.mark.parametrize("target", _some(recorded_targets()))
def test_a_fresh_deployment_makes_what_the_earlier_version_made(tmp_path: Path, target: str) -> None:
    with cloud(tmp_path, target) as now:
        done = now.run(now.verb)
        assert now.stand_in.hide(done["image"]["reference"]) == now.recorded["reference"]
        assert [[step["kind"], step["name"]] for step in done["steps"]] != []
        assert {(step["kind"], step["name"]) for step in done["steps"]} == {
            tuple(each) for each in now.recorded["steps"]
        }
        assert set(now.stand_in.writing()) == set(now.recorded["calls"])
        assert now.contents() == _things(now.recorded["contents"])
        now.run("destroy", "--yes")


def _things(contents: list[dict[str, Any]]) -> list[tuple[str, str, dict[str, str]]]:
    return sorted(((each["kind"], each["name"], each["tags"]) for each in contents), key=repr)
