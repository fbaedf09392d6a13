"""Two state folders, as with two values of HOME, deploy one app to one engine: one at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.app.containers import Containers
from mldeploy.core.errors import ExitCode, LockedError, RefusedError
from mldeploy.providers.local.rollout import without_restart
from tests.local.world import BASE, World

pytestmark = pytest.mark.engine


@pytest.fixture
def other(world: World, tmp_path: Path) -> World:
    """The same app from another state folder."""
    (tmp_path / "other").mkdir()
    return replace(world, folder=tmp_path / "other", events=[])


def test_the_second_of_two_deployments_is_refused_and_told_who_is_at_work(world: World, other: World) -> None:
    errors: list[Exception] = []

    def deploy_second(_: object) -> None:
        if len(world.containers) > 1 and not errors:
            other.env(VERSION="2")
            errors.append(other.fail())

    world.deploy()
    world.env(VERSION="3")
    world.on_event = deploy_second
    world.deploy()
    (error,) = errors
    assert isinstance(error, LockedError)
    assert error.exit_code is ExitCode.LOCKED
    assert f"process {os.getpid()} of " in error.what
    assert str(Path.cwd()) in error.what
    assert world.version == "3"
    assert len(world.containers) == 1


def test_a_race_leaves_one_container_that_serves(world: World, tmp_path: Path) -> None:
    alone = Path(__file__).with_name("deploy_alone.py")
    port = str(world.settings.port)
    racers = []
    for version in ("1", "2"):
        folder = tmp_path / version
        folder.mkdir()
        command = [sys.executable, str(alone), str(folder), world.name, port, version]
        racers.append(subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "."}, stderr=subprocess.PIPE))
    errors = [racer.communicate(timeout=600)[1].decode() for racer in racers]
    codes = [racer.returncode for racer in racers]
    winners = [version for version, code in zip(("1", "2"), codes, strict=True) if code == 0]
    assert winners, errors
    assert all("another command works on" in error for error, code in zip(errors, codes, strict=True) if code), errors
    assert world.version in winners
    assert world.serving.running


@pytest.fixture
def containers(world: World) -> Containers:
    world.deploy()
    return Containers(world.engine, world.name)


def test_a_name_that_the_app_has_got_meanwhile_is_a_lock(world: World, containers: Containers) -> None:
    """As with two machines, which share no lock: the engine's names decide."""
    spec = without_restart(world.serving.spec)
    serving, first = world.serving.id, containers.create(containers.next, spec)
    with pytest.raises(LockedError, match=first[:12]) as second:
        containers.create(containers.next, spec)
    assert f"@{os.uname().nodename}:" in second.value.what
    assert "Conflict" not in str(second.value)
    with pytest.raises(LockedError, match=serving[:12]):
        containers.rename(first, containers.serving)


@pytest.fixture
def foreign(containers: Containers) -> Iterator[str]:
    client = containers.engine.client
    made = client.create_container(BASE, ["sleep", "600"], name=containers.next)["Id"]
    yield made
    client.remove_container(made, force=True)


@pytest.mark.usefixtures("foreign")
def test_a_name_that_a_foreign_container_has_got_meanwhile_is_refused(world: World, containers: Containers) -> None:
    with pytest.raises(RefusedError, match="mldeploy did not make it"):
        containers.create(containers.next, without_restart(world.serving.spec))
