"""What a command tells while it runs: each beginning has its end, the times are true, and then it is silent."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

import pytest

from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Action, Failed, Finished, Noted, Progressed, Started
from mldeploy.core.step import Key, Resource
from tests.core.simulated.cloud import CloudError, Door, Point, World
from tests.core.simulated.doors import FailsAt, Recorder, StopsAt
from tests.core.simulated.machine import Machine, foreigners
from tests.core.simulated.steps import KINDS, UNIQUE, Config

APP = "insurance"


@pytest.fixture
def machine(state: Path) -> Machine:
    world = World(unique=UNIQUE)
    foreigners(world)
    return Machine(state, world)


def resource(kind: str) -> Resource:
    return Resource(kind, Key(APP, (APP,)))


def ended(machine: Machine) -> dict[str, Finished | Failed]:
    return {resource.kind: end for resource, (end,) in machine.heard.outcomes().items()}


def test_a_deploy_tells_of_every_step_with_its_title_and_what_was_done(machine: Machine) -> None:
    machine.deploy()
    ends = ended(machine)
    assert {kind: end.title for kind, end in ends.items()} == {kind: step.title for kind, step in KINDS.items()}
    assert {end.action for end in ends.values() if isinstance(end, Finished)} == {Action.CREATED}
    machine.deploy()
    assert {end.action for end in ended(machine).values() if isinstance(end, Finished)} == {Action.UNCHANGED}
    machine.config = Config(nodes=3, scheme="https")
    machine.deploy(replace=True)
    finished = {kind: end.drift for kind, end in ended(machine).items() if isinstance(end, Finished) and end.drift}
    assert finished == {"cluster": ("nodes 2 → 3",), "endpoint": ("scheme http → https",)}
    machine.destroy()
    assert {end.action for end in ended(machine).values() if isinstance(end, Finished)} == {Action.REMOVED}
    machine.destroy()
    assert {end.action for end in ended(machine).values() if isinstance(end, Finished)} == {Action.ABSENT}


def test_what_a_step_tells_of_its_progress_comes_between_its_beginning_and_its_end(machine: Machine) -> None:
    machine.deploy()
    for kind in KINDS:
        types = [type(event) for event in machine.heard.events if getattr(event, "resource", None) == resource(kind)]
        assert types == [Started, Progressed, Finished]


def test_no_step_begins_before_what_it_needs_has_ended(machine: Machine) -> None:
    machine.deploy()
    order = [(type(event), event.resource.kind) for event in machine.heard.events if not isinstance(event, Noted)]
    for need, user in [
        ("repository", "image"),
        ("cluster", "service"),
        ("firewall", "service"),
        ("service", "endpoint"),
    ]:
        assert order.index((Finished, need)) < order.index((Started, user))


def doors(points: tuple[Point, ...], machine: Machine) -> list[Door]:
    return [
        *(FailsAt(point, CloudError("reset")) for point in points),
        *(StopsAt(point, machine.cancel) for point in points),
    ]


@pytest.mark.parametrize("verb", ["deploy", "destroy"])
def test_however_it_ends_every_beginning_has_one_end_and_then_there_is_silence(machine: Machine, verb: str) -> None:
    if verb == "destroy":
        machine.deploy()
    recorder, undisturbed = Recorder(), machine.copy()
    (undisturbed.deploy if verb == "deploy" else undisturbed.destroy)(recorder)
    for number in range(2 * len(recorder.points)):
        disturbed = machine.copy()
        door = doors(recorder.points, disturbed)[number]
        with contextlib.suppress(MldeployError, CloudError):
            (disturbed.deploy if verb == "deploy" else disturbed.destroy)(door)
        ends = disturbed.heard.outcomes()
        assert all(len(each) == 1 for each in ends.values()), number
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("step")], number


def test_a_failure_is_told_with_its_error(machine: Machine) -> None:
    error = CloudError("quota")
    with pytest.raises(MldeployError):
        machine.deploy(FailsAt(Point("create", "cluster", APP, 1, after=False), error))
    end = ended(machine)["cluster"]
    assert isinstance(end, Failed)
    assert (end.error, end.title) == (error, "Create cluster")


@pytest.mark.parametrize("verb", ["deploy", "destroy"])
def test_the_seconds_of_a_step_are_its_own(machine: Machine, verb: str) -> None:
    if verb == "destroy":
        machine.deploy()
    spent = 0.0

    def slow(point: Point) -> None:
        nonlocal spent
        if point in {Point("create", "cluster", APP, 1, after=True), Point("delete", "cluster", APP, 1, after=True)}:
            start = time.monotonic()
            threading.Event().wait(0.05)
            spent = time.monotonic() - start

    start = time.monotonic()
    (machine.deploy if verb == "deploy" else machine.destroy)(slow)
    total = time.monotonic() - start
    ends = ended(machine)
    assert spent <= ends["cluster"].seconds <= total
    assert all(0 <= end.seconds <= total for end in ends.values())
    assert ends["endpoint"].seconds <= total - spent  # it never runs at the same time as the cluster


def test_what_a_deploy_returns_is_what_it_told(machine: Machine) -> None:
    """Also of what it swept: each thing has seconds of its own."""
    machine.deploy()
    machine.config = Config(cluster="larger", network="other")
    returned = [(done.resource, done.title, done.action, done.seconds) for done in machine.deploy().steps]
    finished = [event for event in machine.heard.events if isinstance(event, Finished)]
    assert returned == [(event.resource, event.title, event.action, event.seconds) for event in finished]
