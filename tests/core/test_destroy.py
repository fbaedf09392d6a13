"""A destroy removes what is ours, in an order that the cloud accepts, and tells what it could not remove."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings

from mldeploy.core.errors import ExitCode, LeftoversError
from mldeploy.core.graph import derive_kinds
from mldeploy.core.journal import Journal, Session
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Outputs, Resource, Seen, Step
from mldeploy.core.verbs import deploy, destroy
from mldeploy.core.verbs.destroy import needed_kinds
from tests.core.graphs import Graph, graphs
from tests.core.patience import unhurried
from tests.core.places import memory
from tests.core.simulated.cloud import Client, CloudError, DeniedError, Point, Thing, World
from tests.core.simulated.doors import FailsAt, Recorder
from tests.core.simulated.machine import Heard, Machine, foreign, foreigners, ours
from tests.core.simulated.steps import KINDS, UNIQUE, CloudStep, Cluster, Endpoint, Network, Part, Service, remove

APP = "insurance"


@pytest.fixture
def machine(state: Path) -> Machine:
    world = World(unique=UNIQUE)
    foreigners(world)
    machine = Machine(state, world)
    machine.deploy()
    return machine


def resource(kind: str, name: str = APP) -> Resource:
    return Resource(kind, Key(name, (APP,)))


def fails(operation: str, kind: str) -> FailsAt:
    return FailsAt(Point(operation, kind, APP, 1, after=False), CloudError("busy"))


def test_it_removes_everything_of_ours_and_says_what(machine: Machine) -> None:
    strangers = foreign(machine.world)
    destroyed = machine.destroy()
    assert set(destroyed.removed) == {resource(kind) for kind in KINDS}
    assert destroyed.absent == ()
    assert ours(machine.world) == []
    assert foreign(machine.world) == strangers
    assert machine.files() == []


def test_it_may_be_repeated(machine: Machine) -> None:
    machine.destroy()
    again = machine.destroy()
    assert again.removed == ()
    assert set(again.absent) == {resource(kind) for kind in KINDS}
    assert machine.files() == []


def test_what_needs_goes_before_what_is_needed(machine: Machine) -> None:
    recorder = Recorder()
    machine.destroy(recorder)
    gone = [point.kind for point in recorder.points if point.operation == "delete" and point.after]
    pairs = [("endpoint", "service"), ("service", "image"), ("service", "cluster"), ("service", "firewall")]
    for user, need in [*pairs, ("image", "repository"), ("firewall", "network")]:
        assert gone.index(user) < gone.index(need)


def test_a_failure_holds_back_only_what_the_thing_needs(machine: Machine) -> None:
    with pytest.raises(LeftoversError) as left:
        machine.destroy(fails("delete", "image"))
    assert left.value.exit_code is ExitCode.LEFTOVERS
    assert left.value.what.splitlines() == [
        "still there:",
        "  image insurance/insurance: busy",
        "  repository insurance/insurance: not tried, since something that needs it is still there",
    ]
    assert {thing.kind for thing in machine.world.things() if thing.app == APP} == {"image", "repository"}
    assert machine.listed() == {resource("image"), resource("repository")}
    assert set(machine.destroy().removed) == {resource("image"), resource("repository")}
    assert machine.files() == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", ["find", "delete"])
def test_whatever_cannot_be_removed_is_listed_and_the_next_time_it_goes(
    machine: Machine, kind: str, operation: str
) -> None:
    with pytest.raises(LeftoversError, match=f"{kind} insurance/insurance: busy"):
        machine.destroy(fails(operation, kind))
    assert resource(kind) in machine.listed()
    machine.destroy()
    assert ours(machine.world) == []
    assert machine.files() == []


def test_a_lost_answer_leaves_the_entry_until_the_thing_is_surely_gone(machine: Machine) -> None:
    with pytest.raises(LeftoversError):
        machine.destroy(FailsAt(Point("delete", "endpoint", APP, 1, after=True), CloudError("reset")))
    assert resource("endpoint") in machine.listed()
    assert "endpoint" not in {thing.kind for thing in machine.world.things() if thing.app == APP}
    assert resource("endpoint") in machine.destroy().absent


def test_a_kind_that_this_version_does_not_know_is_told_and_kept(machine: Machine) -> None:
    older = {kind: step for kind, step in KINDS.items() if kind != "endpoint"}
    with pytest.raises(LeftoversError, match="this version knows no kind 'endpoint'"):
        machine.destroy(kinds=older)
    assert resource("endpoint") in machine.listed()
    machine.destroy()
    assert ours(machine.world) == []


def test_if_the_cloud_cannot_be_asked_nothing_is_touched(machine: Machine) -> None:
    before = machine.world.things()
    with pytest.raises(DeniedError):
        machine.destroy(FailsAt(Point("list", "all", APP, 1, after=False), DeniedError("denied")))
    assert machine.world.things() == before
    assert machine.listed() == {resource(kind) for kind in KINDS}


def test_if_the_cloud_cannot_be_asked_again_it_is_not_called_a_success(machine: Machine) -> None:
    with pytest.raises(DeniedError):
        machine.destroy(FailsAt(Point("list", "all", APP, 2, after=False), DeniedError("denied")))
    assert ours(machine.world) == []
    machine.destroy()


def test_what_the_cloud_still_lists_afterwards_is_left_over(machine: Machine) -> None:
    """Of a kind that nobody knew to remove: made by hand, but with our tag."""

    def made_meanwhile(point: Point) -> None:
        if (point.operation, point.nth, point.after) == ("list", 2, False):
            machine.world.create("network", "stray", APP, {})

    with pytest.raises(LeftoversError, match="network insurance/stray: the cloud still lists it"):
        machine.destroy(made_meanwhile)
    machine.destroy()
    assert ours(machine.world) == []


def test_kinds_to_keep_stay_and_stay_in_the_journal(machine: Machine) -> None:
    with Journal(machine.folder, machine.scope, "mldeploy destroy") as journal:
        session = Session(Client(machine.world), journal, Cancel(), Heard())
        keep = ("image", "repository")
        destroy(KINDS, session, named=(), inventory=tuple, keep=keep)
    assert {thing.kind for thing in machine.world.things() if thing.app == APP} == set(keep)
    assert machine.listed() == {resource(kind) for kind in keep}


def test_the_order_follows_from_the_fields_of_the_kinds() -> None:
    assert needed_kinds(KINDS) == {
        "repository": frozenset(),
        "image": frozenset({"repository"}),
        "network": frozenset(),
        "firewall": frozenset({"network"}),
        "cluster": frozenset(),
        "service": frozenset({"repository", "image", "network", "firewall", "cluster"}),
        "endpoint": frozenset({"repository", "image", "network", "firewall", "cluster", "service"}),
    }


@dataclass(frozen=True, eq=False)
class Big(Cluster):
    kind: ClassVar[str] = "big-cluster"
    title: ClassVar[str] = "Create big cluster"


@dataclass(frozen=True, eq=False)
class Anything(CloudStep):
    """Says of its needs only what they have in common."""

    kind: ClassVar[str] = "anything"
    title: ClassVar[str] = "Make anything"

    base: CloudStep
    more: tuple[Step[Client, Thing], ...] | None = None
    choice: Big | Service | None = None

    @staticmethod
    def undo(cloud: Client, key: Key, monitor: Monitor) -> bool:
        return remove(cloud, Anything.kind, key, monitor)


@dataclass(frozen=True, eq=False)
class OnAnyCluster(CloudStep):
    kind: ClassVar[str] = "on-any-cluster"
    title: ClassVar[str] = "Use a cluster"

    cluster: Cluster

    @staticmethod
    def undo(cloud: Client, key: Key, monitor: Monitor) -> bool:
        return remove(cloud, OnAnyCluster.kind, key, monitor)


class OtherCluster(Cluster):
    """Of the same kind."""


@dataclass(frozen=True, eq=False)
class OnAnything(Step[Client, Thing]):
    """No step that can be made is needed, only one of this cloud."""

    kind: ClassVar[str] = "on-anything"
    title: ClassVar[str] = "Use something"

    base: CloudStep

    def key(self) -> Key:
        return self.base.key()

    def probe(self, cloud: Client, outs: Outputs) -> Seen[Thing] | None:
        return None

    def apply(self, cloud: Client, outs: Outputs, seen: Seen[Thing] | None, monitor: Monitor) -> Thing:
        return outs[self.base]

    @staticmethod
    def undo(cloud: Client, key: Key, monitor: Monitor) -> bool:
        return False


def test_a_field_stands_for_every_kind_that_it_can_hold() -> None:
    """A silently lost order would show only when a cloud refuses to remove what is in use."""
    kinds = {step.kind: step for step in (Cluster, Big, OnAnyCluster, Anything)}
    assert needed_kinds(kinds)["on-any-cluster"] == {"cluster", "big-cluster"}
    assert needed_kinds(kinds)["anything"] >= {"cluster", "big-cluster", "on-any-cluster"}


def test_the_kinds_of_a_graph_follow_from_its_last_step() -> None:
    assert derive_kinds(Endpoint) == KINDS
    assert derive_kinds(Network, retired=(Big,)).keys() == {"network", "big-cluster"}


def test_a_class_that_is_named_stands_for_the_needs_that_it_implements() -> None:
    assert derive_kinds(OnAnyCluster).keys() == {"on-any-cluster", "cluster"}
    assert derive_kinds(OnAnyCluster, Big).keys() == {"on-any-cluster", "big-cluster"}


def test_a_need_that_nothing_implements_is_refused() -> None:
    with pytest.raises(TypeError, match="CloudStep is abstract"):
        derive_kinds(OnAnything)


def test_two_classes_of_one_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="OtherCluster and Cluster claim the kind cluster"):
        derive_kinds(Cluster, retired=(OtherCluster,))


@settings(unhurried, max_examples=40)
@given(graphs())
def test_things_of_one_kind_that_stand_on_one_another_go_in_the_right_order(graph: Graph) -> None:
    parts: dict[int, Part] = {}
    for node in sorted(graph):
        parts[node] = Part(APP, str(node), tuple(parts[need] for need in sorted(graph[node])))
    goal = Part(APP, "goal", tuple(parts.values()))
    world = World()
    with tempfile.TemporaryDirectory(dir=memory()) as folder, Journal(Path(folder), Machine.scope, "test") as journal:
        session = Session(Client(world), journal, Cancel(), Heard())
        kinds = {Part.kind: Part}
        deploy(goal, session, sweep=kinds)
        assert len(world.things()) == len(graph) + 1
        destroy(kinds, session, named=(), inventory=tuple)
        assert journal.resources == ()
    assert world.things() == ()
