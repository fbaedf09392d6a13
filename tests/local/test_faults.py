"""Whichever call to the engine goes wrong, and wherever the process is killed, the next command makes it good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import pytest

from mldeploy.core.errors import LeftoversError, MldeployError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError
from mldeploy.providers.local.network import AppNetwork
from mldeploy.testing.promises import Promise, proves
from tests.few import few
from tests.local.engine_proxy import Call, EngineProxy, Fault, Rule
from tests.local.world import World

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
IMPATIENT = 20
"""Seconds after which a client gives up a call that hangs; otherwise a call may take longer, on a busy machine."""


@dataclass(frozen=True)
class Point:
    """A moment of a command: the `nth` call (from 0) that begins with `verb`, and what goes wrong there."""

    verb: str
    nth: int
    fault: Fault

    def __str__(self) -> str:
        return f"{self.fault} at {self.verb} {self.nth}"

    def rule(self) -> Rule:
        seen = 0

        def judge(call: Call) -> Fault | None:
            nonlocal seen
            if not call.verb.startswith(self.verb):
                return None
            seen += 1
            return self.fault if seen == self.nth + 1 else None

        return judge


CREATE, START, STOP, UPDATE = (
    "POST /containers/create",
    *(f"POST /containers/ID/{verb}" for verb in ("start", "stop", "update")),
)
EXEC, RENAME, REMOVE, EVENTS, INSPECT = (
    "POST /exec/ID/start",
    "POST /containers/ID/rename",
    "DELETE /containers/ID",
    "GET /events",
    "GET /containers/ID",
)

REDEPLOY = (
    Point(CREATE, 0, Fault.LOST),
    Point(EVENTS, 0, Fault.HANG),
    Point(STOP, 0, Fault.LOST),
    Point(START, 0, Fault.BROKEN),
    Point(EXEC, 0, Fault.LOST),
    Point(RENAME, 0, Fault.CUT),
)
DESTROY = (
    Point("GET /containers/json", 0, Fault.REFUSED),
    Point(REMOVE, 0, Fault.LOST),
)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[EngineProxy]:
    with EngineProxy(tmp_path) as proxy:
        yield proxy


@contextmanager
def seen_through(proxy: EngineProxy, world: World, fault: Fault) -> Iterator[World]:
    """The same world, whose engine is reached through the proxy."""
    patience = IMPATIENT if fault is Fault.HANG else 60
    client = docker.APIClient(proxy.endpoint, version="1.41", timeout=patience)
    yield replace(world, engine=Engine(client, proxy.endpoint))
    client.close()


def attempt(act: Callable[[], object], fault: Fault) -> None:
    """Let a command fail as the engine makes it fail, and in no other way.

    EARLY may also be a false success, as of a container that was not removed: then only the consequence is known.
    """
    try:
        act()
    except DeploymentFailedError as error:
        failure = error.failures[0][1]
        if not isinstance(failure, EngineError) and not (fault is Fault.EARLY and isinstance(failure, MldeployError)):
            raise
    except (EngineError, LeftoversError):
        pass


def removes_all(world: World) -> None:
    """A removal leaves nothing. Docker before 28 may count a container that is gone, and then keeps its network.

    That happens when the engine's answer to a container's start or removal is lost at the wrong instant.
    """
    try:
        world.destroy()
    except LeftoversError as error:
        if "has active endpoints" not in str(error):
            raise
        network = world.engine.client.inspect_network(AppNetwork(world.engine, world.name).name)
        assert network["Containers"] == {}, "only an engine that miscounts may keep it"
    else:
        assert not world.journalled
    assert world.containers == ()


def redeploys_through(world: World, proxy: EngineProxy, point: Point) -> None:
    world.deploy()
    world.env(VERSION="2")
    with seen_through(proxy, world, point.fault) as ill:
        proxy.reset(point.rule())
        attempt(ill.deploy, point.fault)
    assert world.version in ("1", "2"), "one fault never silences the app"
    world.deploy()
    assert world.version == "2"
    assert world.plan().is_noop
    assert world.serving.spec.restart == "unless-stopped"
    removes_all(world)


@proves(Promise.FAULTS, targets=("local",))
@pytest.mark.parametrize("point", few(REDEPLOY, 2), ids=str)
def test_redeployment_with_a_fault(world: World, proxy: EngineProxy, point: Point) -> None:
    redeploys_through(world, proxy, point)


def test_an_engine_that_cannot_change_how_a_container_is_restarted(world: World, proxy: EngineProxy) -> None:
    """Older Podmans have no such call."""
    proxy.illness, proxy.status = "Not Found", 404
    proxy.reset(lambda call: Fault.REFUSED if call.verb == UPDATE else None)
    with seen_through(proxy, world, Fault.REFUSED) as old:
        with pytest.raises(DeploymentFailedError, match='set restart = "no"'):
            old.deploy()
        replace(old, settings=old.settings.model_copy(update={"restart": "no"})).deploy()
    assert world.version == "1"
    assert world.serving.spec.restart == "no"


def destroys_through(world: World, proxy: EngineProxy, point: Point) -> None:
    world.deploy()
    with seen_through(proxy, world, point.fault) as ill:
        proxy.reset(point.rule())
        attempt(ill.destroy, point.fault)
    removes_all(world)


@pytest.mark.parametrize("point", DESTROY, ids=str)
def test_destroy_with_a_fault(world: World, proxy: EngineProxy, point: Point) -> None:
    destroys_through(world, proxy, point)


def killed(world: World, proxy: EngineProxy, point: Point, version: str) -> bool:
    """Deploy in another process and kill that at the point. False if it was done before the point came."""
    command = [sys.executable, "-m", "tests.local.deploy_alone", str(world.folder), world.name]
    environment = {**os.environ, "DOCKER_HOST": proxy.endpoint}
    victims: list[int] = []
    proxy.reset(point.rule(), lambda: os.kill(victims[0], signal.SIGKILL))
    process = subprocess.Popen([*command, str(world.settings.port), version], cwd=ROOT, env=environment)
    victims.append(process.pid)
    return process.wait(300) == -signal.SIGKILL


def survives(world: World, proxy: EngineProxy, point: Point) -> bool:
    world.deploy()
    was_killed = killed(world, proxy, point, "2")
    world.env(VERSION="2")
    world.deploy()
    assert world.version == "2"
    assert world.plan().is_noop
    assert world.serving.spec.restart == "unless-stopped"
    return was_killed


KILLS = (
    Point(STOP, 0, Fault.LOST),
    Point(START, 0, Fault.LOST),
    Point(EXEC, 0, Fault.LOST),
    Point(REMOVE, 0, Fault.LOST),
)


@proves(Promise.CRASHES, targets=("local",))
@pytest.mark.parametrize("point", few(KILLS, 2), ids=str)
def test_redeployment_that_is_killed(world: World, proxy: EngineProxy, point: Point) -> None:
    assert survives(world, proxy, point)
    assert any("did not finish" in note for note in world.notes)


def every(calls: int, *faults: Fault) -> list[Point]:
    """Each of the first calls of a command, whatever it is, with each fault."""
    return [Point("", nth, fault) for nth in range(calls) for fault in faults]


@pytest.mark.exhaustive
@pytest.mark.parametrize("point", every(46, *Fault), ids=str)
def test_redeployment_with_any_fault_anywhere(world: World, proxy: EngineProxy, point: Point) -> None:
    redeploys_through(world, proxy, point)


@pytest.mark.exhaustive
@pytest.mark.parametrize("point", every(20, *Fault), ids=str)
def test_destroy_with_any_fault_anywhere(world: World, proxy: EngineProxy, point: Point) -> None:
    destroys_through(world, proxy, point)


@pytest.mark.exhaustive
@pytest.mark.parametrize("point", every(46, Fault.CUT, Fault.LOST), ids=str)
def test_redeployment_that_is_killed_anywhere(world: World, proxy: EngineProxy, point: Point) -> None:
    survives(world, proxy, point)
