"""Ctrl-C at the level of the verbs: what runs finishes or hears of it, the journal is whole, a resume works."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mldeploy.core import monitor as monitor_module
from mldeploy.core.errors import ExitCode, InterruptedByUser
from mldeploy.core.events import Action, Failed, Finished
from mldeploy.core.monitor import Cancel, CancelledError, Monitor
from mldeploy.core.step import Key, Outputs, Resource, Seen
from mldeploy.core.verbs import DeploymentFailedError
from tests.core.halting import Tracer, tracer
from tests.core.patience import PATIENCE
from tests.core.rivals import ROOT
from tests.core.simulated.cloud import Client, CloudError, Point, Thing, World
from tests.core.simulated.doors import FailsAt, Recorder, StopsAt
from tests.core.simulated.machine import Heard, Machine, foreign, foreigners, ours
from tests.core.simulated.steps import KINDS, UNIQUE, Cluster, Config, Endpoint, endpoint

APP = "insurance"
HOURS = 36_000.0


@pytest.fixture
def machine(state: Path) -> Machine:
    world = World(unique=UNIQUE)
    foreigners(world)
    return Machine(state, world)


def resource(kind: str) -> Resource:
    return Resource(kind, Key(APP, (APP,)))


def points(machine: Machine, verb: str) -> tuple[Point, ...]:
    recorder = Recorder()
    (machine.deploy if verb == "deploy" else machine.destroy)(recorder)
    return recorder.points


def test_wherever_a_deploy_is_stopped_the_journal_knows_everything_and_the_next_deploy_resumes(
    machine: Machine,
) -> None:
    undisturbed, strangers = machine.copy(), foreign(machine.world)
    interrupted = 0
    for point in points(undisturbed, "deploy"):
        stopped = machine.copy()
        try:
            stopped.deploy(StopsAt(point, stopped.cancel))
        except InterruptedByUser as error:
            interrupted += 1
            assert error.exit_code is ExitCode.INTERRUPTED  # noqa: PT017 - some stops come when all is done
            assert "`mldeploy deploy`" in error.todo  # noqa: PT017
            assert "`mldeploy destroy`" in error.todo  # noqa: PT017
        stopped.heard.outcomes()
        assert {Resource(each.kind, Key(each.name, (APP,))) for each in stopped.world.things() if each.app == APP} <= (
            stopped.listed()
        )
        resumed = stopped.copy()
        resumed.deploy()
        assert ours(resumed.world) == ours(undisturbed.world), point
        assert resumed.listed() == undisturbed.listed(), point
        stopped.destroy(by_name=False, by_tag=False)
        assert ours(stopped.world) == [], point
        assert foreign(stopped.world) == strangers, point
        assert stopped.files() == [], point
    assert interrupted > 30


def test_wherever_a_destroy_is_stopped_the_next_one_removes_the_rest(machine: Machine) -> None:
    machine.deploy()
    strangers = foreign(machine.world)
    interrupted = 0
    for point in points(machine.copy(), "destroy"):
        stopped = machine.copy()
        try:
            stopped.destroy(StopsAt(point, stopped.cancel))
        except InterruptedByUser as error:
            interrupted += 1
            assert "`mldeploy destroy`" in error.todo  # noqa: PT017 - some stops come when all is done
            assert stopped.listed()
        stopped.heard.outcomes()
        stopped.destroy(by_name=False, by_tag=False)
        assert ours(stopped.world) == [], point
        assert foreign(stopped.world) == strangers, point
    assert interrupted > 20


def test_a_stop_before_anything_begins_touches_nothing(machine: Machine) -> None:
    machine.cancel.request()
    with pytest.raises(InterruptedByUser):
        machine.deploy()
    assert ours(machine.world) == []
    assert machine.files() == []


def test_a_stop_after_the_last_step_is_no_interruption(machine: Machine) -> None:
    last = Point("find", "endpoint", APP, 2, after=True)
    assert machine.deploy(StopsAt(last, machine.cancel)).out.kind == "endpoint"


def test_a_sweep_that_was_stopped_is_told_and_done_the_next_time(machine: Machine) -> None:
    machine.deploy()
    machine.config = Config(cluster="larger")
    machine.deploy(StopsAt(Point("find", "endpoint", APP, 1, after=True), machine.cancel))
    (note,) = machine.heard.notes
    assert note == "cluster insurance/insurance is no longer needed and was not removed; it stays listed."
    assert [done.resource for done in machine.deploy().steps if done.action is Action.REMOVED] == [resource("cluster")]


def test_a_step_that_fails_while_it_is_stopped_is_a_failure(machine: Machine) -> None:
    cancel = machine.cancel
    broken = FailsAt(Point("create", "cluster", APP, 1, after=False), CloudError("quota"))

    def door(point: Point) -> None:
        if (point.operation, point.kind) == ("create", "cluster"):
            cancel.request()
        broken(point)

    with pytest.raises(DeploymentFailedError, match="quota"):
        machine.deploy(door)


@dataclass(frozen=True, eq=False)
class SlowCluster(Cluster):
    """Is made, and then is not ready for long."""

    dawdle: Callable[[Monitor], None]

    def apply(self, cloud: Client, outs: Outputs, seen: Seen[Thing] | None, monitor: Monitor) -> Thing:
        thing = super().apply(cloud, outs, seen, monitor)
        self.dawdle(monitor)
        return thing


def with_slow_cluster(dawdle: Callable[[Monitor], None]) -> Endpoint:
    goal = endpoint(Config())
    return replace(goal, service=replace(goal.service, cluster=SlowCluster(APP, APP, 2, dawdle)))


def test_a_step_that_waits_hears_of_the_stop_at_once(machine: Machine) -> None:
    cancel, waiting = machine.cancel, threading.Event()

    def dawdle(monitor: Monitor) -> None:
        waiting.set()
        monitor.wait(HOURS)

    def press_ctrl_c() -> None:
        assert waiting.wait(PATIENCE)
        cancel.request()

    user = threading.Thread(target=press_ctrl_c)
    user.start()
    with pytest.raises(InterruptedByUser):
        machine.deploy(goal=with_slow_cluster(dawdle))
    user.join()
    (end,) = machine.heard.outcomes()[resource("cluster")]
    assert isinstance(end, Failed)
    assert isinstance(end.error, CancelledError)
    assert resource("cluster") in machine.listed()
    assert "cluster" in {thing.kind for thing in machine.world.things() if thing.app == APP}
    assert {done.resource.kind: done.action for done in machine.deploy().steps}["cluster"] is Action.UNCHANGED


def test_a_step_that_does_not_wait_finishes(machine: Machine) -> None:
    cancel = machine.cancel

    def dawdle(_: Monitor) -> None:
        cancel.request()  # the work goes on to its end

    with pytest.raises(InterruptedByUser):
        machine.deploy(goal=with_slow_cluster(dawdle))
    (end,) = machine.heard.outcomes()[resource("cluster")]
    assert isinstance(end, Finished)
    assert end.action is Action.CREATED
    assert resource("service") not in machine.heard.outcomes()
    machine.deploy()
    assert {thing.kind for thing in machine.world.things() if thing.app == APP} == set(KINDS)


def test_what_was_not_begun_is_not_in_the_journal(machine: Machine) -> None:
    """A stop between the look and the making: nothing was made, so nothing is written."""
    looked = Point("find", "cluster", APP, 1, after=True)
    with pytest.raises(InterruptedByUser):
        machine.deploy(StopsAt(looked, machine.cancel))
    assert resource("cluster") not in machine.listed()


def test_a_real_ctrl_c_reaches_a_step_that_waits(state: Path) -> None:
    """SIGINT in a process whose main thread is inside `deploy`."""
    program = [sys.executable, "-m", "tests.core.simulated.process", str(state), "wait"]
    with subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "InterruptedByUser\n"
        assert process.wait(PATIENCE) == 0
    machine = Machine(state, World(unique=UNIQUE, file=state / "world.json"))
    assert resource("cluster") in machine.listed()
    machine.deploy()
    assert not machine.heard.notes  # nobody died
    machine.destroy(by_name=False, by_tag=False)
    assert machine.world.things() == ()


class TestCancel:
    @pytest.mark.parametrize("seconds", [0.0, 0.001])
    def test_a_handler_may_interrupt_a_wait_of_its_own_thread_anywhere(self, seconds: float) -> None:
        """A signal's handler runs in the main thread, between any two lines of what it is doing there."""
        files = (str(threading.__file__), str(monitor_module.__file__))
        for nth in range(1, 60):
            cancel = Cancel()
            interrupted = tracer(files, nth, cancel.request)
            waiting = threading.Thread(target=_traced, args=(interrupted, cancel, seconds), daemon=True)
            waiting.start()
            waiting.join(PATIENCE)
            assert not waiting.is_alive(), nth

    def test_a_request_may_be_repeated(self) -> None:
        cancel = Cancel()
        assert not cancel.requested
        assert not cancel.wait(0)
        cancel.request()
        cancel.request()
        assert cancel.requested
        assert cancel.wait(HOURS)

    def test_everything_that_waits_hears_it(self) -> None:
        cancel, barrier, heard = Cancel(), threading.Barrier(5), []

        def wait() -> None:
            barrier.wait(PATIENCE)
            heard.append(cancel.wait(PATIENCE))

        waiting = [threading.Thread(target=wait) for _ in range(4)]
        for each in waiting:
            each.start()
        barrier.wait(PATIENCE)
        cancel.request()
        for each in waiting:
            each.join()
        assert heard == [True] * 4


def _traced(trace: Tracer, cancel: Cancel, seconds: float) -> None:
    sys.settrace(trace)
    try:
        cancel.wait(seconds)
    finally:
        sys.settrace(None)


class TestMonitor:
    thing = Resource("cluster", Key("x"))

    def test_attempts_come_at_once_and_end_with_their_deadline(self) -> None:
        monitor = Monitor(self.thing, Heard(), Cancel())
        start = time.monotonic()
        elapsed = list(monitor.attempts(every=0.01, within=0.05))
        assert 0.05 <= time.monotonic() - start < PATIENCE
        assert elapsed[0] == 0
        assert elapsed == sorted(elapsed)
        assert elapsed[-1] < 0.05

    def test_there_is_an_attempt_even_if_its_time_is_over_at_once(self) -> None:
        assert list(Monitor(self.thing, Heard(), Cancel()).attempts(every=HOURS, within=1e-9)) == [0]

    def test_a_stop_ends_attempts_and_waits(self) -> None:
        cancel = Cancel()
        monitor = Monitor(self.thing, Heard(), cancel)
        attempts = monitor.attempts(every=HOURS, within=HOURS)
        next(attempts)
        monitor.check()
        cancel.request()
        for ask in (lambda: next(attempts), monitor.check, lambda: monitor.wait(HOURS)):
            with pytest.raises(CancelledError):
                ask()
