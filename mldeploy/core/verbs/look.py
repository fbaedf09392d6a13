"""The walk that only looks: what is there (`status`), and what a deployment would change (`plan`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Never

from mldeploy.core.errors import InterruptedByUser
from mldeploy.core.events import Action, Events, Failed, Finished, Started, ignore
from mldeploy.core.graph import steps_of, walk
from mldeploy.core.monitor import Cancel
from mldeploy.core.step import AnyCloudT, Kinds, NotYetError, Outputs, Resource, Seen, Step, T


class Intent(StrEnum):
    """What a deployment would do to one thing."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    UNCHANGED = "unchanged"
    REMOVE = "remove"
    REFUSE = "refuse"
    OPEN = "open"
    """It cannot be said before something else exists."""


@dataclass(frozen=True)
class Look(Generic[T]):
    """One step as it was found: seen, or waiting for a need, or in doubt (an error), or, with none of them, absent."""

    step: Step[Never, T]
    seen: Seen[T] | None = None
    waits: bool = False
    doubt: Exception | None = None


@dataclass(frozen=True)
class Change:
    """What a deployment would do to one thing, and why: `reasons` are the drifts, one readable line each."""

    resource: Resource
    title: str
    intent: Intent
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Every thing of a deployment, needs first, then what would be swept."""

    changes: tuple[Change, ...]

    @property
    def is_noop(self) -> bool:
        return all(change.intent is Intent.UNCHANGED for change in self.changes)


def look(
    goal: Step[AnyCloudT, T], cloud: AnyCloudT, cancel: Cancel, events: Events = ignore
) -> tuple[Look[object], ...]:
    """Probe every step, needs first; what does not need one another at the same time. Changes nothing.

    A probe's error is a doubt in the result, not an exception; what needs the doubtful step is not asked. Raises
    InterruptedByUser after a stop.
    """
    return _look(_Looker(cloud, events, lambda _: True), goal, cancel)


def _look(looker: _Looker[AnyCloudT], goal: Step[AnyCloudT, T], cancel: Cancel) -> tuple[Look[object], ...]:
    graph = steps_of(goal)
    walked = walk(graph, looker.visit, cancel, keep_going=True)
    if cancel.requested and walked.untouched:
        raise InterruptedByUser("mldeploy", "stopped at your request; nothing was changed")
    return tuple(looker.looks.get(id(step), Look(step, waits=True)) for step in graph)


class _Looker(Generic[AnyCloudT]):
    """Probes one step after the other, from several threads at once. `stays`: others may count on what was seen."""

    def __init__(self, cloud: AnyCloudT, events: Events, stays: Callable[[Seen[object]], bool]) -> None:
        self.looks: dict[int, Look[object]] = {}
        self._cloud = cloud
        self._events = events
        self._stays = stays
        self._made: dict[int, object] = {}

    def visit(self, step: Step[AnyCloudT, object]) -> None:
        start = time.monotonic()
        self._events(Started(step.resource, step.title))
        found = self._found(step)
        self.looks[id(step)] = found
        seconds = time.monotonic() - start
        if found.doubt:
            self._events(Failed(step.resource, step.title, found.doubt, seconds))
            raise found.doubt
        if found.seen and self._stays(found.seen):
            self._made[id(step)] = found.seen.out
        action = Action.UNCHANGED if found.seen else Action.ABSENT
        self._events(Finished(step.resource, step.title, action, seconds))

    def _found(self, step: Step[AnyCloudT, object]) -> Look[object]:
        try:
            return Look(step, seen=step.probe(self._cloud, Outputs(step, self._made)))
        except NotYetError:
            return Look(step, waits=True)
        except Exception as error:  # noqa: BLE001 - a doubt is a result
            return Look(step, doubt=error)


def plan(
    goal: Step[AnyCloudT, T],
    cloud: AnyCloudT,
    cancel: Cancel,
    *,
    begun: Collection[Resource] = (),
    sweep: Kinds[AnyCloudT] | None = None,
    events: Events = ignore,
) -> Plan:
    """What `deploy` would do, without doing it. A doubt raises, since a plan with a guess in it is worse than none.

    What stands on a thing that must be replaced is open: it will stand on another one. Raises InterruptedByUser after a
    stop. begun: what the journal lists; of that, the kinds in `sweep` that the graph no longer has would be removed.
    """
    looks = _look(_Looker(cloud, events, lambda seen: not seen.replace), goal, cancel)
    for each in looks:
        if each.doubt is not None:
            raise each.doubt
    wanted = {each.step.resource for each in looks}
    swept = [
        Change(old, sweep[old.kind].title, Intent.REMOVE, ("no longer part of the deployment",))
        for old in begun
        if sweep and old.kind in sweep and old not in wanted
    ]
    return Plan((*map(_change, looks), *swept))


def _change(found: Look[object]) -> Change:
    step, seen = found.step, found.seen
    if found.waits:
        return Change(step.resource, step.title, Intent.OPEN)
    if seen is None:
        return Change(step.resource, step.title, Intent.CREATE)
    reasons = (*seen.replace, *seen.drift)
    if reasons and not seen.ours:
        return Change(step.resource, step.title, Intent.REFUSE, (*reasons, "mldeploy did not make it"))
    if seen.replace:
        return Change(step.resource, step.title, Intent.REPLACE, reasons)
    return Change(step.resource, step.title, Intent.UPDATE if seen.drift else Intent.UNCHANGED, reasons)
