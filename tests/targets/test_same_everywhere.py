"""`mldeploy deploy --target X` is the same experience everywhere: one folder, every target, the same expectations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pytest

from mldeploy.cli.commands.deploy import DeployDocument
from mldeploy.cli.stand_ins import rehearsed_targets
from mldeploy.image.engine import Engine
from mldeploy.image.labels import APP
from mldeploy.providers import registry
from mldeploy.providers.capabilities import Runtime
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.sample import SampleApp, SampleVersion, sample_app
from tests.cli.command import Command, Result
from tests.names import record
from tests.rehearsal.available import require_registry

pytestmark = pytest.mark.engine

LOCAL = "local"
QUICK = (LOCAL, "fargate")
"""What runs on every change. Kubernetes has a journey of its own there (tests/kubernetes/test_journey.py)."""
TARGETS = [
    pytest.param(each, marks=() if each in QUICK else pytest.mark.exhaustive) for each in (LOCAL, *rehearsed_targets())
]
"""Whatever can be deployed to without an account: a target that gets a stand-in is tried from then on."""
WITH_HTTPS = frozenset({"cloudrun", "containerapps", "webapp"})
"""Where the address has HTTPS without any setting."""
SETTINGS = """
[target.local]
port = 0
"""
BASE = "mldeploy/python:3.11-slim"
VERSION = SampleVersion()


@dataclass(frozen=True)
class World:
    """One folder and one user's state for all targets."""

    app: SampleApp
    mldeploy: Command

    def on(self, target: str) -> Target:
        return Target(self, target)


@dataclass(frozen=True)
class Target:
    """What a user types for one target."""

    world: World
    name: str

    @property
    def is_registry(self) -> bool:
        """No app runs there: what can be done is a push."""
        return not isinstance(registry.find(self.name), Runtime)

    @property
    def place(self) -> Sequence[str]:
        return ("--target", self.name, *(() if self.name == LOCAL else ("--rehearse",)))

    def type(self, *words: str) -> Result:
        done = self.world.mldeploy(words[0], *self.place, *words[1:])
        assert done.code == 0, f"{self.name}: {words}: {done.err}"
        return done

    def ask(self, *words: str) -> Any:
        """The document that a command prints."""
        return self.type(*words, "--json").document

    def left(self) -> list[object]:
        """What there still is of it."""
        if self.name != LOCAL:
            held = self.world.mldeploy("rehearse", "status", "--json").document["clouds"]
            assert isinstance(held, list)
            return [thing for cloud in held for thing in cloud["contents"]]
        engine = Engine.connect()
        try:
            return list(engine.client.containers(all=True, filters={"label": f"{APP}={self.world.app.name}"}))
        finally:
            engine.client.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    require_registry()
    place = tmp_path_factory.mktemp("everywhere")
    with sample_app(place / "app", BASE) as app:
        record(app.name)
        app.write(VERSION, more=SETTINGS)
        mldeploy = Command(place / "home", app.folder)
        yield World(app, mldeploy)
        mldeploy("destroy", "--yes")  # where a test has failed
        mldeploy("rehearse", "down")


@proves(Promise.HTTPS, targets=("cloudrun", "containerapps", "webapp"))
@pytest.mark.parametrize("name", TARGETS)
def test_from_the_folder_there_and_away_again(world: World, name: str) -> None:
    target = world.on(name)
    if target.is_registry:
        _pushed(target)
    else:
        _deployed(target)
    assert target.ask("destroy", "--yes")["removed"]
    assert target.left() == []


def _pushed(target: Target) -> None:
    first, second = target.ask("push"), target.ask("push")
    assert first["image"]["reference"].endswith(f"@{first['image']['digest']}")
    assert second["image"] == first["image"]
    assert _actions(second) == {"unchanged"}
    assert _states(target.ask("status")) == {"present"}


def _deployed(target: Target) -> None:
    first = target.ask("deploy")
    assert {each.name for each in fields(DeployDocument)} <= set(first)
    assert first["target"] == target.name
    assert str(first["url"]).startswith("https://" if target.name in WITH_HTTPS else "http://")
    assert "created" in _actions(first)
    second = target.ask("deploy")
    assert second["url"] == first["url"]
    assert _actions(second) == {"unchanged"}

    assert target.ask("predict", "--data", json.dumps({"any": "thing"}))["answer"] == VERSION.answer
    status = target.ask("status")
    assert status["url"] == first["url"]
    assert _states(status) == {"present"}
    assert [each["health"] for each in status["instances"]] == ["healthy"]
    assert [each["state"] for each in target.ask("history")["releases"]] == ["serving"]
    assert f"serving {VERSION.code}" in target.type("logs").out


def _actions(document: Any) -> set[str]:
    return {step["action"] for step in document["steps"]}


def _states(document: Any) -> set[str]:
    return {step["state"] for step in document["steps"]}
