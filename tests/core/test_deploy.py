"""What a deployment does to what it meets: ours, not ours, to be replaced, no longer wanted."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mldeploy.core.errors import ExitCode, RefusedError
from mldeploy.core.events import Action, Finished, Noted
from mldeploy.core.step import Key, Resource
from mldeploy.core.verbs import DeploymentFailedError
from tests.core.patience import PATIENCE
from tests.core.simulated.cloud import CloudError, Point, World
from tests.core.simulated.doors import FailsAt, Recorder
from tests.core.simulated.machine import Machine, foreign, foreigners, ours
from tests.core.simulated.steps import KINDS, UNIQUE, Config, image

APP = "insurance"
"""The app's name, and that of nearly everything that it has."""


@pytest.fixture
def machine(state: Path) -> Machine:
    world = World(unique=UNIQUE)
    foreigners(world)
    return Machine(state, world)


def resource(kind: str, name: str = APP) -> Resource:
    return Resource(kind, Key(name, (APP,)))


def actions(machine: Machine, **options: bool) -> dict[str, Action]:
    return {done.resource.kind: done.action for done in machine.deploy(**options).steps}  # type: ignore[arg-type]


def kinds_there(machine: Machine) -> set[str]:
    return {thing.kind for thing in machine.world.things() if thing.app == APP}


def test_a_second_deploy_changes_nothing_and_only_reads(machine: Machine) -> None:
    first = machine.deploy()
    before, recorder = machine.world.things(), Recorder()
    second = machine.deploy(recorder)
    assert {done.action for done in second.steps} == {Action.UNCHANGED}
    assert {point.operation for point in recorder.points} == {"find"}
    assert machine.world.things() == before
    assert second.out == first.out


def test_the_steps_are_told_in_the_order_in_which_they_ended(machine: Machine) -> None:
    result = [done.resource for done in machine.deploy().steps]
    assert result == [event.resource for event in machine.heard.events if isinstance(event, Finished)]
    assert result[-1] == resource("endpoint")


def test_what_does_not_need_one_another_is_made_and_removed_at_the_same_time(machine: Machine) -> None:
    made, removed = threading.Barrier(3), threading.Barrier(3)

    def door(point: Point) -> None:
        call = (point.operation, point.kind)
        if not point.after and call in {("create", "repository"), ("create", "cluster"), ("create", "network")}:
            made.wait(PATIENCE)
        if not point.after and call in {("delete", "image"), ("delete", "cluster"), ("delete", "firewall")}:
            removed.wait(PATIENCE)

    machine.deploy(door)
    machine.destroy(door)
    assert ours(machine.world) == []


def test_only_what_differs_is_mended(machine: Machine) -> None:
    machine.deploy()
    machine.config = Config(nodes=3)
    assert actions(machine) == {kind: Action.UPDATED if kind == "cluster" else Action.UNCHANGED for kind in KINDS}
    (mended,) = (event for event in machine.heard.events if isinstance(event, Finished) and event.drift)
    assert (mended.resource, mended.drift) == (resource("cluster"), ("nodes 2 → 3",))


def test_what_is_not_ours_is_used_and_survives_the_destroy(machine: Machine) -> None:
    borrowed = machine.world.create("repository", APP, "", {"made": "by hand"})
    assert actions(machine)["repository"] is Action.UNCHANGED
    assert resource("repository") not in machine.listed()
    machine.destroy()
    assert ours(machine.world) == []
    assert borrowed in machine.world.things()


def test_what_is_not_ours_and_differs_is_refused_and_left_as_it_is(machine: Machine) -> None:
    machine.world.create("cluster", APP, "", {"nodes": "1"})
    before = foreign(machine.world)
    for replace in (False, True):
        with pytest.raises(DeploymentFailedError, match=r"nodes 1 → 2.*mldeploy did not make it") as refused:
            machine.deploy(replace=replace)
        assert refused.value.exit_code is ExitCode.REFUSED
    assert foreign(machine.world) == before
    assert resource("cluster") not in machine.listed()


def test_a_replacement_needs_permission(machine: Machine) -> None:
    machine.deploy()
    before = ours(machine.world)
    machine.config = Config(scheme="https")
    with pytest.raises(DeploymentFailedError, match=r"must be replaced \(scheme http → https\)") as refused:
        machine.deploy()
    assert refused.value.exit_code is ExitCode.REFUSED
    assert "--replace" in refused.value.todo
    assert ours(machine.world) == before
    old = machine.world.things()
    assert actions(machine, replace=True)["endpoint"] is Action.UPDATED
    (new,) = (thing for thing in machine.world.things() if thing not in old)
    assert (new.kind, new.settings) == ("endpoint", {"scheme": "https"})


def test_a_replacement_of_what_others_stand_on_fails_and_loses_nothing(machine: Machine) -> None:
    """The cloud refuses it. What is to be done then is a destroy and a deploy."""
    machine.deploy()
    before = ours(machine.world)
    machine.config = Config(region="elsewhere")
    with pytest.raises(DeploymentFailedError, match="is used by firewall"):
        machine.deploy(replace=True)
    assert ours(machine.world) == before
    machine.destroy()
    machine.deploy()
    assert kinds_there(machine) == set(KINDS)


def test_what_was_renamed_is_swept_after_success_and_said_so(machine: Machine) -> None:
    machine.deploy()
    machine.config = Config(cluster="larger", network="other")
    removed = [done.resource for done in machine.deploy().steps if done.action is Action.REMOVED]
    assert set(removed) == {resource("cluster"), resource("network")}
    assert not {resource("cluster"), resource("network")} & machine.listed()
    fresh = World(unique=UNIQUE)
    Machine(machine.folder / "fresh", fresh, machine.config).deploy()
    assert ours(machine.world) == ours(fresh)


def test_a_lost_journal_is_whole_again_after_the_next_deploy(machine: Machine) -> None:
    machine.deploy()
    whole = machine.listed()
    machine.lose_journal()
    assert set(actions(machine).values()) == {Action.UNCHANGED}
    assert machine.listed() == whole
    machine.config = Config(cluster="larger")
    assert [done.resource for done in machine.deploy().steps if done.action is Action.REMOVED] == [resource("cluster")]


def test_a_failed_deploy_sweeps_nothing(machine: Machine) -> None:
    machine.deploy()
    machine.config = Config(cluster="larger", digest="sha256:2")
    with pytest.raises(DeploymentFailedError):
        machine.deploy(FailsAt(Point("change", "image", APP, 1, after=False), CloudError("quota")))
    assert resource("cluster") in machine.listed()
    assert {thing.name for thing in machine.world.things() if thing.kind == "cluster" and thing.app == APP} > {APP}


def test_a_sweep_that_fails_only_warns_and_is_done_the_next_time(machine: Machine) -> None:
    machine.deploy()
    machine.config = Config(cluster="larger")
    machine.deploy(FailsAt(Point("delete", "cluster", APP, 1, after=False), CloudError("busy")))
    (warning,) = (event for event in machine.heard.events if isinstance(event, Noted))
    assert warning.warning
    assert "cluster insurance/insurance is no longer needed and could not be removed: busy" in warning.text
    assert resource("cluster") in machine.listed()
    assert [done.resource for done in machine.deploy().steps if done.action is Action.REMOVED] == [resource("cluster")]
    assert resource("cluster") not in machine.listed()


def test_what_a_sweep_did_not_try_is_said_too(machine: Machine) -> None:
    """The old firewall cannot go, so the old network below it is not tried."""
    machine.deploy()
    machine.config = Config(network="other", firewall="other")
    machine.deploy(FailsAt(Point("delete", "firewall", APP, 1, after=False), CloudError("busy")))
    assert [note.split(" is no longer")[0] for note in machine.heard.notes] == [
        "firewall insurance/insurance",
        "network insurance/insurance",
    ]
    machine.deploy()
    assert {resource("firewall"), resource("network")}.isdisjoint(machine.listed())


def test_a_nearer_goal_sweeps_nothing(machine: Machine) -> None:
    """`push` after `deploy` must not take the service away."""
    machine.deploy()
    before = ours(machine.world)
    result = machine.deploy(goal=image(machine.config), sweep=None)
    assert {done.resource.kind: done.action for done in result.steps} == dict.fromkeys(
        ("repository", "image"), Action.UNCHANGED
    )
    assert ours(machine.world) == before


def test_what_the_nearer_goal_made_is_used_by_the_further_one(machine: Machine) -> None:
    machine.deploy(goal=image(machine.config), sweep=None)
    assert kinds_there(machine) == {"repository", "image"}
    assert machine.listed() == {resource("repository"), resource("image")}
    done_actions = actions(machine)
    assert done_actions["image"] is Action.UNCHANGED
    assert done_actions["endpoint"] is Action.CREATED


def test_an_entry_of_a_kind_that_this_version_does_not_know_is_not_swept(machine: Machine) -> None:
    machine.deploy()
    machine.config = Config(cluster="larger")
    machine.deploy(sweep={kind: step for kind, step in KINDS.items() if kind != "cluster"})
    assert resource("cluster") in machine.listed()
    assert machine.heard.notes == []


def points_of_a_deploy(state: Path) -> tuple[Point, ...]:
    world = World(unique=UNIQUE)
    foreigners(world)
    recorder = Recorder()
    Machine(state, world).deploy(recorder)
    return recorder.points


def test_whichever_call_fails_the_next_deploy_converges(machine: Machine, state: Path) -> None:
    """The call may have had its effect, and only the answer was lost."""
    undisturbed = machine.copy()
    undisturbed.deploy()
    strangers = foreign(machine.world)
    for point in points_of_a_deploy(state / "points"):
        broken = machine.copy()
        with pytest.raises(DeploymentFailedError, match="reset by peer") as failed:
            broken.deploy(FailsAt(point, CloudError("reset by peer")))
        assert failed.value.exit_code is ExitCode.INTERNAL  # no provider lets an SDK's error through as it is
        broken.deploy()
        assert ours(broken.world) == ours(undisturbed.world), point
        assert broken.listed() == undisturbed.listed(), point
        assert foreign(broken.world) == strangers, point


def test_a_failed_deploy_names_the_step_and_keeps_the_error_of_a_user(machine: Machine) -> None:
    error = RefusedError("quota", "no clusters left", "Ask for more.")
    with pytest.raises(DeploymentFailedError) as failed:
        machine.deploy(FailsAt(Point("create", "cluster", APP, 1, after=False), error))
    assert str(failed.value) == "Create cluster: quota: no clusters left\nAsk for more."
    assert failed.value.failures == (("Create cluster", error),)
    assert failed.value.exit_code is ExitCode.REFUSED
