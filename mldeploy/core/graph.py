"""The graph that steps form, and the concurrent walk over any graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from graphlib import TopologicalSorter
from queue import SimpleQueue
from typing import Generic, TypeVar

from mldeploy.core.monitor import Cancel
from mldeploy.core.step import AnyCloudT, Resource, Step, T, needs

NodeT = TypeVar("NodeT", bound=Hashable)

WORKERS = 16


def steps_of(goal: Step[AnyCloudT, T]) -> dict[Step[AnyCloudT, object], tuple[Step[AnyCloudT, object], ...]]:
    """Every step that the goal needs, itself included, each with its own needs; needs come before those who need them.

    Raises ValueError if two different steps claim the same resource: one of them would undo the other's work.
    """
    found: dict[Step[AnyCloudT, object], tuple[Step[AnyCloudT, object], ...]] = {}
    claimed: dict[Resource, Step[AnyCloudT, object]] = {}

    def visit(step: Step[AnyCloudT, object]) -> None:
        if step in found:
            return
        if claimed.setdefault(step.resource, step) is not step:
            raise ValueError(f"two steps claim {step.resource}")
        wanted = tuple(needs(step))
        for need in wanted:
            visit(need)
        found[step] = wanted

    visit(goal)
    return found


@dataclass(frozen=True)
class Walked(Generic[NodeT]):
    """How a walk ended: every node is in exactly one of the three."""

    done: tuple[NodeT, ...]
    failed: tuple[tuple[NodeT, Exception], ...]
    untouched: tuple[NodeT, ...]


def walk(
    graph: Mapping[NodeT, Collection[NodeT]],
    visit: Callable[[NodeT], None],
    cancel: Cancel,
    *,
    keep_going: bool = False,
    workers: int = WORKERS,
) -> Walked[NodeT]:
    """Visit every node once, after all that it maps to; nodes that do not need one another run at the same time.

    After a failure nothing new starts and what runs may finish; with `keep_going`, only what needs the failed node is
    left out. A requested stop is like a failure. Blocks until nothing runs. Raises graphlib.CycleError before anything
    is visited, and nothing that `visit` raises as an Exception: that is in the result.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    ready: deque[NodeT] = deque()
    finished: SimpleQueue[tuple[NodeT, BaseException | None]] = SimpleQueue()
    done: list[NodeT] = []
    failed: list[tuple[NodeT, Exception]] = []

    def attempt(node: NodeT) -> None:
        try:
            visit(node)
        except BaseException as error:  # noqa: BLE001 - it is raised again, or reported, by the thread that waits
            finished.put((node, error))
        else:
            finished.put((node, None))

    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="step") as pool:
        running = 0
        while True:
            ready.extend(sorter.get_ready())
            # The pool's own queue stays empty: what waits there could no longer be held back after a failure.
            while ready and running < workers and not cancel.requested and (keep_going or not failed):
                pool.submit(attempt, ready.popleft())
                running += 1
            if not running:
                break
            node, error = finished.get()
            running -= 1
            if error is None:
                done.append(node)
                sorter.done(node)
            elif isinstance(error, Exception):
                failed.append((node, error))
            else:
                raise error
    touched = {*done, *(node for node, _ in failed)}
    return Walked(tuple(done), tuple(failed), tuple(node for node in graph if node not in touched))
