"""Steps as a graph, and what a step sees of the others."""

from __future__ import annotations

import pytest
from hypothesis import given

from mldeploy.core.graph import steps_of
from mldeploy.core.step import Key, NotYetError, Outputs, Resource, needs
from tests.core.graphs import Graph, graphs
from tests.core.patience import unhurried
from tests.core.simulated.cloud import Thing
from tests.core.simulated.steps import Part


def part(name: str, parts: tuple[Part, ...] = (), first: Part | None = None) -> Part:
    return Part("app", name, parts, first)


def built(graph: Graph) -> Part:
    """The graph as steps, below one goal that needs them all."""
    parts: dict[int, Part] = {}
    for node in sorted(graph):
        parts[node] = part(str(node), tuple(parts[need] for need in sorted(graph[node])))
    return part("goal", tuple(parts[node] for node in graph))


@unhurried
@given(graphs())
def test_every_step_is_listed_once_after_its_needs(graph: Graph) -> None:
    goal = built(graph)
    steps = steps_of(goal)
    names = [step.key().name for step in steps]
    assert sorted(names) == sorted(["goal", *map(str, graph)])
    assert names[-1] == "goal"
    for step, needed in steps.items():
        assert needed == tuple(needs(step))
        assert all(names.index(need.key().name) < names.index(step.key().name) for need in needed)


def test_needs_are_found_in_fields_and_in_tuples_of_them() -> None:
    left, right, first = part("left"), part("right"), part("first")
    assert [need.key().name for need in needs(part("whole", (left, right), first))] == ["left", "right", "first"]


def test_a_step_that_two_others_share_is_one_step() -> None:
    shared = part("shared")
    goal = part("goal", (part("left", (shared,)), part("right", (shared,))))
    assert [step.key().name for step in steps_of(goal)] == ["shared", "left", "right", "goal"]


def test_two_steps_that_claim_one_resource_are_refused() -> None:
    goal = part("goal", (part("left", (part("same"),)), part("right", (part("same"),))))
    with pytest.raises(ValueError, match="two steps claim part app/same"):
        steps_of(goal)


def test_a_resource_reads_as_its_kind_and_its_path() -> None:
    assert str(Resource("cluster", Key("insurance", ("eu-west-1", "prod")))) == "cluster eu-west-1/prod/insurance"
    assert part("x").resource == Resource("part", Key("x", ("app",)))


class TestOutputs:
    near, far = part("near"), part("far")
    goal = part("goal", (near,))
    here, there = (Thing(each, "part", each, "app", {}) for each in ("here", "there"))

    def test_a_need_that_exists_is_given(self) -> None:
        outs = Outputs(self.goal, {id(self.near): self.here})
        assert (outs[self.near], outs.get(self.near)) == (self.here, self.here)

    def test_a_need_that_does_not_exist_yet_is_no_guess(self) -> None:
        outs = Outputs(self.goal, {})
        assert outs.get(self.near) is None
        with pytest.raises(NotYetError):
            outs[self.near]

    def test_what_the_step_does_not_declare_is_refused_even_if_it_exists(self) -> None:
        outs = Outputs(self.goal, {id(self.near): self.here, id(self.far): self.there})
        for ask in (outs.__getitem__, outs.get):
            with pytest.raises(KeyError, match="part is not a field of this step"):
                ask(self.far)

    def test_outputs_that_come_later_are_seen(self) -> None:
        made: dict[int, object] = {}
        outs = Outputs(self.goal, made)
        made[id(self.near)] = self.here
        assert outs[self.near] == self.here
