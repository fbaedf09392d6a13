"""What `mldeploy doctor` says of the app on this machine, and what it mends."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.app.containers import Containers
from mldeploy.check.trial import check_containers, lock_file
from mldeploy.config.secret import Secret
from mldeploy.core.errors import LockedError
from mldeploy.core.journal import Journal, Scope
from mldeploy.core.lock import Lock
from mldeploy.image.engine import Engine
from mldeploy.providers.capabilities import Diagnosable, Finding, Level
from mldeploy.providers.local import provider
from mldeploy.providers.local.rollout import without_restart
from tests.local.world import BASE, World

pytestmark = pytest.mark.engine


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "mldeploy"


def look(world: World) -> dict[str, Finding]:
    """The line about each subject."""
    assert isinstance(provider, Diagnosable)
    findings = [each for check in provider.checks(world.project, world.settings) for each in check.look()]
    subjects = {each.subject: each for each in findings}
    assert len(subjects) == len(findings), findings
    return subjects


@pytest.fixture
def foreign(engine: Engine, world: World) -> Iterator[str]:
    """A container with the name that the app's would have, and that mldeploy did not make."""
    name = f"mldeploy-{world.name}"
    made = engine.client.create_container(BASE, ["sleep", "600"], name=name)
    yield name
    engine.client.remove_container(made["Id"], force=True)


def test_before_the_first_deployment_everything_is_free(world: World) -> None:
    result = look(world)
    assert {each.level for each in result.values()} == {Level.OK}
    assert result["port"].what == f"{world.settings.port} on 127.0.0.1 is free"
    assert "not deployed" in result["container"].what


def test_what_runs_has_its_port(world: World) -> None:
    world.deploy()
    result = look(world)
    assert {each.level for each in result.values()} == {Level.OK}
    assert result["container"].what.startswith(f"mldeploy-{world.name} runs at {world.url}")
    assert result["port"].what.endswith("is the app's")
    world.target(restart="always")
    assert result["restart"].what == "unless-stopped"
    changed = look(world)["restart"]
    assert changed.level is Level.WARNING
    assert changed.what == "unless-stopped, but the configuration has always"


def test_what_was_stopped_is_there_but_does_not_run(world: World, engine: Engine) -> None:
    world.deploy()
    engine.client.stop(f"mldeploy-{world.name}")
    result = look(world)
    assert result["container"].level is Level.WARNING
    assert "exited" in result["container"].what
    assert result["port"].what.endswith("is the app's")
    provider.service(world.cloud, world.project, world.settings).stop()
    assert look(world)["port"].what.endswith("is free")


def test_proxy_that_does_not_run_is_an_error(world: World, engine: Engine) -> None:
    world.deploy()
    assert look(world)["proxy"].what == f"mldeploy-{world.name}-proxy holds the port"
    engine.client.kill(world.proxy.id)
    assert look(world)["proxy"].level is Level.ERROR
    assert world.drift[1:] == ("proxy exited → running",)
    serving = world.serving
    world.deploy()
    assert look(world)["proxy"].level is Level.OK
    assert world.version == "1"
    assert world.serving.id == serving.id


def test_a_port_that_somebody_else_has_is_an_error_with_its_owner(world: World) -> None:
    with socket.create_server(("127.0.0.1", world.settings.port or 0)):
        result = look(world)["port"]
    assert result.level is Level.ERROR
    assert "is used by process" in result.what
    assert "--port" in result.todo


def test_a_port_may_be_left_to_chance(world: World) -> None:
    world.target(port=0)
    assert look(world)["port"].level is Level.OK


def test_an_address_of_another_machine_is_an_error(world: World) -> None:
    world.target(host="192.0.2.1")
    assert "not an address of this machine" in look(world)["port"].what


def test_an_app_that_everybody_could_reach_is_a_warning(world: World) -> None:
    world.target(host="0.0.0.0")
    assert look(world)["host"].level is Level.WARNING


def test_what_the_engine_does_not_have_cannot_be_asked_for(world: World) -> None:
    world.app(cpus=200.0, memory=1 << 50)
    result = look(world)
    assert result["cpus"].level is Level.ERROR
    assert result["memory"].level is Level.WARNING
    assert "resources" not in result


def test_a_container_of_somebody_else_is_in_the_way(world: World, foreign: str) -> None:
    result = look(world)["container"]
    assert result.level is Level.ERROR
    assert result.what == f"the name {foreign} is taken: mldeploy did not create it"


def test_an_app_that_dies_again_and_again_is_an_error(world: World, engine: Engine) -> None:
    world.deploy()
    (serving,) = world.containers
    containers = Containers(engine, world.name)
    containers.remove(serving.id)
    environment = (("MODE", Secret("exit:3")), ("PORT", Secret("8000")))
    made = containers.create(serving.name, replace(serving.spec, restart="always", env=environment))
    since = int(time.time())
    containers.start(made)
    deaths = engine.client.events(since=since, filters={"container": made, "event": "die"}, decode=True)
    with closing(deaths):
        for _ in zip(range(2), deaths, strict=False):
            pass
    result = look(world)["container"]
    assert result.level is not Level.OK
    assert "was restarted" in result.what
    assert "mldeploy logs" in result.todo


def test_what_a_crash_left_is_removed_but_not_from_under_a_command(world: World, engine: Engine, state: Path) -> None:
    world.deploy()
    containers = Containers(engine, world.name)
    left = containers.create(containers.candidate, without_restart(world.containers[0].spec))
    result = look(world)["leftover"]
    assert result.level is Level.WARNING
    assert result.fix is not None
    with (
        Journal(state, Scope(world.name, "local"), "mldeploy deploy"),
        pytest.raises(LockedError),
    ):
        result.fix.run()
    assert containers.get(left)
    result.fix.run()
    assert containers.get(left) is None
    result.fix.run()
    assert "leftover" not in look(world)
    assert look(world)["container"].level is Level.OK


def test_what_a_killed_check_left_is_removed_but_not_from_under_a_check(world: World, engine: Engine) -> None:
    world.deploy()
    serving, containers = world.serving, check_containers(engine, world.name)
    containers.create(f"{serving.name}.check-1", without_restart(serving.spec))
    assert world.plan().is_noop, "a deployment has nothing to do with it"
    result = look(world)["leftover"]
    assert (result.level, "check" in result.what) == (Level.WARNING, True)
    assert result.fix is not None
    lock = Lock(lock_file(world.name), "mldeploy check")
    with pytest.raises(LockedError):
        result.fix.run()
    lock.release(remove=True)
    result.fix.run()
    assert containers.all() == ()
    result.fix.run()
    assert "leftover" not in look(world)
    assert world.serving.id == serving.id


def test_a_rollout_that_did_not_end_is_for_deploy_to_settle(world: World, engine: Engine) -> None:
    world.deploy()
    containers = Containers(engine, world.name)
    containers.create(containers.next, without_restart(world.containers[0].spec))
    result = look(world)["leftover"]
    assert result.fix is None
    assert "mldeploy deploy" in result.todo
    world.deploy()
    assert "leftover" not in look(world)


def test_without_an_engine_nothing_is_claimed(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    result = look(world)
    assert result.keys() == {"container"}
    assert result["container"].level is Level.WARNING
