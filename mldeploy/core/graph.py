"""The graph that steps form, and the concurrent walk over any graph."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from graphlib import TopologicalSorter
from queue import SimpleQueue
from types import MappingProxyType
from typing import Generic, Never, TypeVar, get_args, get_origin, get_type_hints

from mldeploy.core.monitor import Cancel
from mldeploy.core.step import AnyCloudT, Gates, Kinds, Resource, Step, T, needs

NodeT = TypeVar("NodeT", bound=Hashable)

WORKERS = 16


def steps_of(
    goal: Step[AnyCloudT, T], gates: Gates[AnyCloudT] | None = None
) -> dict[Step[AnyCloudT, object], tuple[Step[AnyCloudT, object], ...]]:
    """Return every step that the goal needs, including the goal, with its needs. Needs come before their dependents.

    gates: further steps, each before the one that it is the gate of, like a need.

    Raises ValueError if two different steps claim the same resource: one of them would undo the other's work.
    """
    graph: dict[Step[AnyCloudT, object], tuple[Step[AnyCloudT, object], ...]] = {}
    claimed: dict[Resource, Step[AnyCloudT, object]] = {}

    def visit(step: Step[AnyCloudT, object]) -> None:
        if step in graph:
            return
        if claimed.setdefault(step.resource, step) is not step:
            raise ValueError(f"two steps claim {step.resource}")
        gate = gates.get(step) if gates else None
        needed = (*needs(step), *((gate,) if gate else ()))
        for need in needed:
            visit(need)
        graph[step] = needed

    visit(goal)
    return graph


def substitute_steps(
    goal: Step[AnyCloudT, T], choose: Callable[[Step[AnyCloudT, object]], Step[AnyCloudT, object] | None]
) -> Step[AnyCloudT, T]:
    """Return the graph with other steps in the place of some. choose: returns None for a step that stays.

    A step that needs a replaced one is copied. The new steps' needs are taken as they are.
    """
    made: dict[int, Step[AnyCloudT, object]] = {}

    def visit(step: Step[AnyCloudT, object]) -> Step[AnyCloudT, object]:
        if id(step) not in made:
            made[id(step)] = choose(step) or copy(step)
        return made[id(step)]

    def copy(step: Step[AnyCloudT, object]) -> Step[AnyCloudT, object]:
        changes = {}
        for field in fields(step):  # type: ignore[arg-type]  # every concrete step is a dataclass
            value = getattr(step, field.name)
            items = tuple(visit(each) if isinstance(each, Step) else each for each in _items(value))
            if any(new is not old for new, old in zip(items, _items(value), strict=True)):
                changes[field.name] = items if isinstance(value, tuple) else items[0]
        return replace(step, **changes) if changes else step  # type: ignore[type-var]

    return visit(goal)  # type: ignore[return-value]  # a copy of the same class


def _items(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def derive_kinds(
    *steps: type[Step[AnyCloudT, object]], retired: Collection[type[Step[AnyCloudT, object]]] = ()
) -> Kinds[AnyCloudT]:
    """Return the step classes of every graph that ends in one of `steps`, by kind.

    These are `steps` and, from the annotations of their fields, whatever they need. A field whose class has subclasses
    among `steps` stands for those, so the classes that implement an abstract need are named there. retired: classes of
    kinds that no graph has any more, but journals of earlier versions do.

    Raises TypeError if nothing implements an abstract need, ValueError if two classes claim one kind.
    """
    kinds: dict[str, type[Step[AnyCloudT, object]]] = {}
    waiting: deque[type[Step[AnyCloudT, object]]] = deque((*steps, *retired))
    while waiting:
        step = waiting.popleft()
        if inspect.isabstract(step) or not hasattr(step, "kind"):
            raise TypeError(f"{step.__name__} is abstract: name the step classes that implement it")
        if kinds.setdefault(step.kind, step) is not step:
            raise ValueError(f"{step.__name__} and {kinds[step.kind].__name__} claim the kind {step.kind}")
        for held in held_classes(step):
            named = [each for each in steps if issubclass(each, held)]
            # A step's cloud offers whatever the clouds of its needs offer.
            waiting.extend(each for each in named or (held,) if each not in kinds.values())  # type: ignore[misc]
    return MappingProxyType(kinds)


def held_classes(step: type[Step[Never, object]]) -> Iterator[type[Step[Never, object]]]:
    """Return the step classes that a step class's fields can hold, from their annotations."""
    return _steps_in(tuple(get_type_hints(step).values()))


def _steps_in(hints: tuple[object, ...]) -> Iterator[type[Step[Never, object]]]:
    for hint in hints:
        cls = get_origin(hint) or hint
        if isinstance(cls, type) and issubclass(cls, Step):
            yield cls
        yield from _steps_in(get_args(hint))


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
