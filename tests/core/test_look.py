"""The walks that only look: `plan` says exactly what `deploy` then does, and never guesses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.core.errors import InterruptedByUser
from mldeploy.core.events import Action, Failed, Finished
from mldeploy.core.monitor import Cancel
from mldeploy.core.step import Key, Kinds, Outputs, Resource, Seen, Step
from mldeploy.core.verbs import DeploymentFailedError, Intent, Plan, look, plan
from tests.core.simulated.cloud import Client, DeniedError, Door, Point, Thing, World, open_door
from tests.core.simulated.doors import FailsAt, StopsAt
from tests.core.simulated.machine import Heard, Machine, foreigners
from tests.core.simulated.steps import KINDS, UNIQUE, Config, Service, endpoint

APP = "insurance"


@pytest.fixture
def machine(state: Path) -> Machine:
    world = World(unique=UNIQUE)
    foreigners(world)
    return Machine(state, world)


def planned(
    machine: Machine,
    door: Door = open_door,
    *,
    begun: Collection[Resource] = (),
    sweep: Kinds[Client] | None = None,
    cancel: Cancel | None = None,
) -> Plan:
    goal = endpoint(machine.config)
    return plan(goal, Client(machine.world, door), cancel or Cancel(), begun=begun, sweep=sweep)


def intents(plan_result: Plan) -> dict[str, Intent]:
    return {change.resource.kind: change.intent for change in plan_result.changes}


def reasons(plan_result: Plan, kind: str) -> tuple[str, ...]:
    (change,) = (change for change in plan_result.changes if change.resource.kind == kind)
    return change.reasons


def test_in_an_empty_cloud_everything_is_created_and_what_cannot_be_known_is_open(machine: Machine) -> None:
    plan_result = planned(machine)
    # A service is looked for inside its cluster, and that does not exist yet.
    assert intents(plan_result) == {kind: Intent.OPEN if kind == "service" else Intent.CREATE for kind in KINDS}
    assert not plan_result.is_noop
    order = [change.resource.kind for change in plan_result.changes]
    for need, user in [
        ("repository", "image"),
        ("network", "firewall"),
        ("cluster", "service"),
        ("service", "endpoint"),
    ]:
        assert order.index(need) < order.index(user)


def test_looking_changes_nothing(machine: Machine) -> None:
    before = machine.world.things()
    planned(machine)
    look(endpoint(machine.config), Client(machine.world), Cancel())
    assert machine.world.things() == before
    assert machine.files() == []


def test_after_a_deployment_there_is_nothing_to_do(machine: Machine) -> None:
    machine.deploy()
    plan_result = planned(machine)
    assert set(intents(plan_result).values()) == {Intent.UNCHANGED}
    assert plan_result.is_noop


def test_drift_is_an_update_with_its_reasons(machine: Machine) -> None:
    machine.deploy()
    machine.config = Config(nodes=3)
    plan_result = planned(machine)
    assert intents(plan_result) == {kind: Intent.UPDATE if kind == "cluster" else Intent.UNCHANGED for kind in KINDS}
    assert reasons(plan_result, "cluster") == ("nodes 2 → 3",)
    assert not plan_result.is_noop


def test_what_cannot_change_in_place_must_be_replaced(machine: Machine) -> None:
    machine.deploy()
    machine.config = Config(scheme="https")
    plan_result = planned(machine)
    assert intents(plan_result)["endpoint"] is Intent.REPLACE
    assert reasons(plan_result, "endpoint") == ("scheme http → https",)


def test_what_stands_on_a_thing_to_be_replaced_is_open(machine: Machine) -> None:
    """It will stand on another thing, so that `unchanged` would be a guess."""
    machine.deploy()
    machine.config = Config(region="elsewhere")
    plan_result = intents(planned(machine))
    assert plan_result["network"] is Intent.REPLACE
    assert [kind for kind, intent in plan_result.items() if intent is Intent.OPEN] == [
        "firewall",
        "service",
        "endpoint",
    ]
    # A status says what is there now.
    looks = look(endpoint(machine.config), Client(machine.world), Cancel())
    assert all(each.seen for each in looks)


def test_what_is_not_ours_is_used_as_it_is_and_refused_where_it_differs(machine: Machine) -> None:
    machine.world.create("repository", APP, "", {})
    machine.world.create("cluster", APP, "", {"nodes": "1"})
    plan_result = planned(machine)
    assert intents(plan_result)["repository"] is Intent.UNCHANGED
    assert intents(plan_result)["cluster"] is Intent.REFUSE
    assert reasons(plan_result, "cluster") == ("nodes 1 → 2", "mldeploy did not make it")


def test_what_was_renamed_is_removed_unless_the_goal_is_nearer(machine: Machine) -> None:
    machine.deploy()
    begun = machine.listed()
    machine.config = Config(cluster="larger")
    old = Resource("cluster", Key(APP, (APP,)))
    swept = planned(machine, begun=begun, sweep=KINDS)
    assert [change.resource for change in swept.changes if change.intent is Intent.REMOVE] == [old]
    assert swept.changes[-1].resource == old
    kept = planned(machine, begun=begun)
    assert old not in [change.resource for change in kept.changes]


def test_a_doubt_raises_and_is_never_absence(machine: Machine) -> None:
    denied = DeniedError("you may not look at clusters")
    for deployed in (False, True):
        if deployed:
            machine.deploy()
        door = FailsAt(Point("find", "cluster", APP, 1, after=False), denied)
        with pytest.raises(DeniedError, match="you may not look at clusters"):
            planned(machine, door)
        with pytest.raises(DeploymentFailedError, match="you may not look"):
            machine.deploy(FailsAt(Point("find", "cluster", APP, 1, after=False), denied))
    assert len([thing for thing in machine.world.things() if thing.kind == "cluster" and thing.app == APP]) == 1


def test_a_status_shows_the_doubt_beside_what_is_sure(machine: Machine) -> None:
    machine.deploy()
    door = FailsAt(Point("find", "network", APP, 1, after=False), DeniedError("denied"))
    looks = {each.step.kind: each for each in look(endpoint(machine.config), Client(machine.world, door), Cancel())}
    assert isinstance(looks["network"].doubt, DeniedError)
    assert [kind for kind, each in looks.items() if each.waits] == ["firewall", "service", "endpoint"]
    assert all(looks[kind].seen for kind in ("repository", "image", "cluster"))


def test_a_status_of_nothing_says_absent(machine: Machine) -> None:
    looks = {each.step.kind: each for each in look(endpoint(machine.config), Client(machine.world), Cancel())}
    assert (looks["cluster"].seen, looks["cluster"].waits, looks["cluster"].doubt) == (None, False, None)


def test_every_look_has_a_beginning_and_an_end(machine: Machine) -> None:
    """Also of what is absent, of what cannot be known yet, and of what is in doubt."""
    machine.world.create("repository", APP, "", {})
    heard = Heard()
    door = FailsAt(Point("find", "network", APP, 1, after=False), DeniedError("denied"))
    look(endpoint(machine.config), Client(machine.world, door), Cancel(), heard)
    ends = {resource.kind: end for resource, (end,) in heard.outcomes().items()}
    assert set(ends) == set(KINDS) - {"firewall", "service", "endpoint"}  # they need what is in doubt
    assert isinstance(ends["network"], Failed)
    assert isinstance(ends["repository"], Finished)
    assert isinstance(ends["cluster"], Finished)


def test_a_plan_that_was_stopped_is_no_plan(machine: Machine) -> None:
    cancel = Cancel()
    with pytest.raises(InterruptedByUser):
        planned(machine, StopsAt(Point("find", "image", APP, 1, after=True), cancel), cancel=cancel)


class Nosy(Service):
    """Asks for an output that its fields do not name."""

    stranger = endpoint(Config()).service.cluster

    def probe(self, cloud: Client, outs: Outputs) -> Seen[Thing] | None:
        outs[self.stranger]
        return super().probe(cloud, outs)


def test_a_need_that_is_not_declared_is_a_defect_and_not_an_absence(machine: Machine) -> None:
    service = endpoint(machine.config).service
    nosy = Nosy(service.app, service.name, service.image, service.cluster, service.firewall)
    goal: Step[Client, Thing] = replace(endpoint(machine.config), service=nosy)
    machine.deploy()
    with pytest.raises(KeyError, match="cluster is not a field of this step"):
        plan(goal, Client(machine.world), Cancel())
    with pytest.raises(DeploymentFailedError, match="cluster is not a field of this step"):
        machine.deploy(goal=goal)


@pytest.mark.parametrize(
    "now",
    [Config(), Config(nodes=5, port=80), Config(cluster="larger", network="other"), Config(scheme="https")],
    ids=["same", "changed", "renamed", "replaced"],
)
@pytest.mark.parametrize("deployed", [False, True], ids=["new", "deployed"])
def test_a_deploy_does_what_the_plan_said(machine: Machine, now: Config, *, deployed: bool) -> None:
    if deployed:
        machine.deploy()
    machine.config = now
    planned_result = planned(machine, begun=machine.listed(), sweep=KINDS)
    did = {done.resource: done.action for done in machine.deploy(replace=True).steps}
    actions = {
        Intent.CREATE: {Action.CREATED},
        Intent.UPDATE: {Action.UPDATED},
        Intent.REPLACE: {Action.UPDATED},
        Intent.UNCHANGED: {Action.UNCHANGED},
        Intent.REMOVE: {Action.REMOVED},
        Intent.OPEN: {Action.CREATED, Action.UPDATED, Action.UNCHANGED},
    }
    assert set(did) == {change.resource for change in planned_result.changes}
    assert all(did[change.resource] in actions[change.intent] for change in planned_result.changes)
