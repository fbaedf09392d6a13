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
from mldeploy.core.monitor import Cancel, CancelledError, Monitor, monitored_probe
from mldeploy.core.step import AnyCloudT, Gates, Kinds, NotYetError, Outputs, Resource, Seen, Step, T
from mldeploy.core.verbs.deploy import is_swept


class Intent(StrEnum):
    """What a deployment would do to one thing."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    UNCHANGED = "unchanged"
    REMOVE = "remove"
    REFUSE = "refuse"
    OPEN = "open"
    """Unknown until another resource exists."""


@dataclass(frozen=True)
class StepView(Generic[T]):
    """The state of one step: seen, waiting for a need, in doubt (an error), or absent if none of these is set."""

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
) -> tuple[StepView[object], ...]:
    """Probe every step, needs first; what does not need one another at the same time. Changes nothing.

    A probe's error is a doubt in the result, not an exception; steps that need the doubtful step are not probed. Raises
    InterruptedByUser after a stop.
    """
    return _look(_Looker(cloud, events, cancel, lambda _: True), goal)


def _look(
    looker: _Looker[AnyCloudT], goal: Step[AnyCloudT, T], gates: Gates[AnyCloudT] | None = None
) -> tuple[StepView[object], ...]:
    graph = steps_of(goal, gates)
    walked = walk(graph, looker.visit, looker.cancel, keep_going=True)
    stopped = any(isinstance(error, CancelledError) for _, error in walked.failed)
    if looker.cancel.requested and (walked.untouched or stopped):
        raise InterruptedByUser("mldeploy", "interrupted. Nothing was changed.")
    return tuple(looker.looks.get(id(step), StepView(step, waits=True)) for step in graph)


class _Looker(Generic[AnyCloudT]):
    """Probes one step after the other, from several threads at once. `stays`: others may count on what was seen."""

    def __init__(self, cloud: AnyCloudT, events: Events, cancel: Cancel, stays: Callable[[Seen[object]], bool]) -> None:
        self.looks: dict[int, StepView[object]] = {}
        self.cancel = cancel
        self._cloud = cloud
        self._events = events
        self._stays = stays
        self._made: dict[int, object] = {}

    def visit(self, step: Step[AnyCloudT, object]) -> None:
        start = time.monotonic()
        self._events(Started(step.resource, step.title))
        view = self._probe(step)
        self.looks[id(step)] = view
        seconds = time.monotonic() - start
        if view.doubt:
            self._events(Failed(step.resource, step.title, view.doubt, seconds))
            raise view.doubt
        if view.seen and self._stays(view.seen):
            self._made[id(step)] = view.seen.out
        action = Action.UNCHANGED if view.seen else Action.ABSENT
        self._events(Finished(step.resource, step.title, action, seconds))

    def _probe(self, step: Step[AnyCloudT, object]) -> StepView[object]:
        try:
            with monitored_probe(Monitor(step.resource, self._events, self.cancel)):
                return StepView(step, seen=step.probe(self._cloud, Outputs(step, self._made)))
        except NotYetError:
            return StepView(step, waits=True)
        except Exception as error:  # noqa: BLE001 - a doubt is a result
            return StepView(step, doubt=error)


def plan(
    goal: Step[AnyCloudT, T],
    cloud: AnyCloudT,
    cancel: Cancel,
    *,
    gates: Gates[AnyCloudT] | None = None,
    begun: Collection[Resource] = (),
    sweep: Kinds[AnyCloudT] | None = None,
    events: Events = ignore,
) -> Plan:
    """What `deploy` would do, without doing it. A doubt raises, since a plan with a guess in it is worse than none.

    What stands on a thing that must be replaced is open: it will stand on another one. Raises InterruptedByUser after a
    stop. gates: as in `deploy`. begun: what the journal lists; of that, the kinds in `sweep` that the graph no longer
    has would be removed.
    """
    looks = _look(_Looker(cloud, events, cancel, lambda seen: not seen.replace), goal, gates)
    for each in looks:
        if each.doubt is not None:
            raise each.doubt
    resources = {each.step.resource for each in looks}
    swept = [
        Change(old, sweep[old.kind].title, Intent.REMOVE, ("no longer part of the deployment",))
        for old in begun
        if sweep and is_swept(old, sweep) and old not in resources
    ]
    return Plan((*map(_change, looks), *swept))


def _change(view: StepView[object]) -> Change:
    step, seen = view.step, view.seen
    if view.waits:
        return Change(step.resource, step.title, Intent.OPEN)
    if seen is None:
        return Change(step.resource, step.title, Intent.CREATE)
    reasons = (*seen.replace, *seen.drift)
    if reasons and not seen.ours:
        return Change(step.resource, step.title, Intent.REFUSE, (*reasons, "mldeploy did not make it"))
    if seen.replace:
        return Change(step.resource, step.title, Intent.REPLACE, reasons)
    return Change(step.resource, step.title, Intent.UPDATE if seen.drift else Intent.UNCHANGED, reasons)
