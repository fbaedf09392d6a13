"""The walk over any graph: order, concurrency, what happens after a failure or a stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from graphlib import CycleError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.core.graph import Walked, walk
from mldeploy.core.monitor import Cancel
from tests.core.graphs import Graph, all_needs, graphs, levels
from tests.core.patience import PATIENCE, unhurried


def _at_once(node: int) -> None:
    """A visit that does nothing."""


@dataclass
class Visits:
    """Remembers the visits of a walk in the order in which they began and ended, and how many ran at once."""

    within: Callable[[int], None] = _at_once
    begun: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    most_at_once: int = 0
    known_at_start: dict[int, frozenset[int]] = field(default_factory=dict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, node: int) -> None:
        with self._mutex:
            self.begun.append(node)
            self.known_at_start[node] = frozenset(self.ended)
            self.most_at_once = max(self.most_at_once, len(self.begun) - len(self.ended))
        try:
            self.within(node)
        finally:
            with self._mutex:
                self.ended.append(node)


class BrokenError(Exception):
    """What a visit raises here."""


@unhurried
@given(graphs())
def test_every_node_is_visited_once_and_after_what_it_needs(graph: Graph) -> None:
    visits = Visits()
    walked = walk(graph, visits, Cancel())
    assert sorted(visits.begun) == sorted(graph)
    assert all(graph[node] <= visits.known_at_start[node] for node in graph)
    assert sorted(walked.done) == sorted(graph)
    assert (walked.failed, walked.untouched) == ((), ())


@unhurried
@given(graphs())
def test_nodes_that_do_not_need_one_another_run_at_the_same_time(graph: Graph) -> None:
    ranks = levels(graph)
    barriers = {node: barrier for rank in ranks for barrier in [threading.Barrier(len(rank))] for node in rank}
    walked = walk(graph, lambda node: _meet(barriers[node]), Cancel())
    assert walked.failed == ()


def _meet(barrier: threading.Barrier) -> None:
    """Returns only once all others of the same rank are running too."""
    barrier.wait(PATIENCE)


def test_a_long_chain_does_not_wait_for_its_slow_neighbour() -> None:
    chain_is_done = threading.Event()

    def visit(node: str) -> None:
        if node == "slow":
            assert chain_is_done.wait(PATIENCE)
        if node == "c":
            chain_is_done.set()

    walked = walk({"slow": (), "a": (), "b": ("a",), "c": ("b",), "end": ("slow", "c")}, visit, Cancel())
    assert walked.done == ("a", "b", "c", "slow", "end")


@unhurried
@given(graphs(), st.integers(1, 4))
def test_no_more_run_at_once_than_there_are_workers(graph: Graph, workers: int) -> None:
    visits = Visits()
    walked = walk(graph, visits, Cancel(), workers=workers)
    assert visits.most_at_once <= workers
    assert sorted(walked.done) == sorted(graph)


def test_as_many_run_at_once_as_there_are_workers() -> None:
    barrier = threading.Barrier(3)
    walked = walk(dict.fromkeys(range(9), ()), lambda _: _meet(barrier), Cancel(), workers=3)
    assert walked.failed == ()


@unhurried
@given(graphs(), st.data())
def test_after_a_failure_only_what_runs_already_ends(graph: Graph, data: st.DataObject) -> None:
    broken = data.draw(st.frozensets(st.sampled_from(sorted(graph)), min_size=1), "broken")
    visits = Visits(within=lambda node: _break(node, broken))
    walked = walk(graph, visits, Cancel(), workers=1)
    (failed, error), *others = walked.failed
    assert others == []
    assert isinstance(error, BrokenError)
    assert visits.begun[-1] == failed
    assert set(visits.begun) == {*walked.done, failed}
    _check_partition(graph, walked)


def _break(node: int, broken: frozenset[int]) -> None:
    if node in broken:
        raise BrokenError(node)


def _check_partition(graph: Graph, walked: Walked[int]) -> None:
    assert sorted((*walked.done, *(node for node, _ in walked.failed), *walked.untouched)) == sorted(graph)


def test_what_runs_beside_a_failure_finishes_and_nothing_new_starts() -> None:
    beside_runs, failed = threading.Event(), threading.Event()
    visits = Visits(within=lambda node: _fail_beside(node, beside_runs, failed))
    walked = walk({0: (), 1: (), 2: (1,), 3: ()}, visits, Cancel(), workers=2)
    assert visits.begun in ([0, 1], [1, 0])
    assert [node for node, _ in walked.failed] == [0]
    assert walked.done == (1,)
    assert walked.untouched == (2, 3)


def _fail_beside(node: int, beside_runs: threading.Event, failed: threading.Event) -> None:
    if node == 0:
        assert beside_runs.wait(PATIENCE)
        failed.set()
        raise BrokenError
    beside_runs.set()
    assert failed.wait(PATIENCE)


@unhurried
@given(graphs(), st.data())
def test_keep_going_leaves_out_exactly_what_needs_the_failed(graph: Graph, data: st.DataObject) -> None:
    broken = data.draw(st.frozensets(st.sampled_from(sorted(graph))), "broken")
    visits = Visits(within=lambda node: _break(node, broken))
    walked = walk(graph, visits, Cancel(), keep_going=True)
    held_back = {node for node in graph if all_needs(graph, node) & broken}
    assert set(walked.untouched) == held_back
    assert {node for node, _ in walked.failed} == broken - held_back
    assert sorted(visits.begun) == sorted(set(graph) - held_back)
    _check_partition(graph, walked)


@unhurried
@given(graphs(), st.data(), st.booleans())
def test_after_a_stop_nothing_new_starts(graph: Graph, data: st.DataObject, keep_going: bool) -> None:
    last = data.draw(st.sampled_from(sorted(graph)), "last")
    cancel = Cancel()
    visits = Visits(within=lambda node: cancel.request() if node == last else None)
    walked = walk(graph, visits, cancel, keep_going=keep_going, workers=1)
    assert visits.begun[-1] == last
    assert list(walked.done) == visits.begun
    assert walked.failed == ()
    _check_partition(graph, walked)


def test_what_runs_when_a_stop_is_requested_finishes() -> None:
    cancel, both_run = Cancel(), threading.Barrier(2)

    def visit(node: int) -> None:
        both_run.wait(PATIENCE)
        if node == 0:
            cancel.request()
        assert cancel.wait(PATIENCE)

    walked = walk({0: (), 1: (), 2: (0,)}, visit, cancel)
    assert sorted(walked.done) == [0, 1]
    assert walked.untouched == (2,)


def test_a_stop_before_the_walk_leaves_everything_untouched() -> None:
    cancel, visits = Cancel(), Visits()
    cancel.request()
    assert walk({0: (), 1: (0,)}, visits, cancel) == Walked((), (), (0, 1))
    assert visits.begun == []


@unhurried
@given(graphs(), st.data())
def test_a_cycle_is_refused_before_anything_is_visited(graph: Graph, data: st.DataObject) -> None:
    top = data.draw(st.sampled_from(sorted(graph)), "top")
    bottom = data.draw(st.sampled_from(sorted({top, *all_needs(graph, top)})), "bottom")
    visits = Visits()
    with pytest.raises(CycleError):
        walk({**graph, bottom: graph[bottom] | {top}}, visits, Cancel())
    assert visits.begun == []


def test_what_is_no_ordinary_error_is_raised_once_nothing_runs_any_more() -> None:
    """As when the process is told to exit: it must not look like a step that failed."""
    beside_runs, leaving = threading.Event(), threading.Event()
    ended: list[int] = []

    def visit(node: int) -> None:
        if node == 0:
            assert beside_runs.wait(PATIENCE)
            leaving.set()
            raise SystemExit(3)
        beside_runs.set()
        assert leaving.wait(PATIENCE)
        ended.append(node)

    with pytest.raises(SystemExit):
        walk({0: (), 1: (), 2: (1,)}, visit, Cancel())
    assert ended == [1]


def test_an_empty_graph_is_walked_at_once() -> None:
    assert walk({}, Visits(), Cancel()) == Walked((), (), ())
