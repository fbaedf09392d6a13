"""The `destroy` walk: remove the resources of a deployment, dependents first, and verify with a second inventory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic

from mldeploy.core.errors import InterruptedByUser, LeftoversError, LockedError
from mldeploy.core.events import Action, Failed, Finished, Started
from mldeploy.core.graph import held_classes, walk
from mldeploy.core.journal import Session
from mldeploy.core.step import AnyCloudT, Kinds, Resource


@dataclass(frozen=True)
class Removal:
    """What a removal did.

    untouched: what was not tried, since what needs it is still there or the user stopped. seconds: how long each of
    the removed took.
    """

    removed: tuple[Resource, ...]
    absent: tuple[Resource, ...]
    failed: tuple[tuple[Resource, Exception], ...]
    untouched: tuple[Resource, ...]
    seconds: Mapping[Resource, float]


@dataclass(frozen=True)
class Destroyed:
    """A deployment that is surely gone: what was removed now, and what was not there any more."""

    removed: tuple[Resource, ...]
    absent: tuple[Resource, ...]


def destroy(
    kinds: Kinds[AnyCloudT],
    session: Session[AnyCloudT],
    *,
    named: Iterable[Resource],
    inventory: Callable[[], Collection[Resource]],
    keep: Collection[str] = (),
) -> Destroyed:
    """Remove everything of a deployment: what the journal lists, what the graph names, what the cloud says is ours.

    named: the resources of the present graph, by name. inventory: lists the resources that have this deployment's
    tag in the cloud; it is called again at the end. keep: kinds to leave alone. An entry whose removal failed stays in
    the journal, and only what it needs is left out. Safe to repeat; blocks until what was removed is gone.

    Raises LeftoversError if anything is left, LockedError if only another command is in the way, InterruptedByUser
    after a stop, and what `inventory` raises.
    """
    listed = dict.fromkeys((*session.journal.resources, *named, *inventory()))
    targets = [each for each in listed if each.kind not in keep]
    removal = Remover(kinds, session).remove(targets)
    if session.cancel.requested and (removal.untouched or removal.failed):
        todo = "Run `mldeploy destroy` again to remove the rest."
        raise InterruptedByUser("mldeploy", "interrupted. The remaining resources are in the journal.", todo)
    if removal.failed and all(isinstance(error, LockedError) for _, error in removal.failed):
        raise removal.failed[0][1]
    left = _leftovers(removal, [each for each in inventory() if each.kind not in keep])
    if left:
        todo = "Fix the cause and run `mldeploy destroy` again. Until then it may cost money."
        raise LeftoversError("mldeploy destroy", "still there:\n" + "\n".join(left), todo)
    return Destroyed(removal.removed, removal.absent)


def _leftovers(removal: Removal, still: Iterable[Resource]) -> list[str]:
    """One line a thing, the causes before their consequences."""
    lines = {each: f"  {each}: {str(error) or repr(error)}" for each, error in removal.failed}
    lines |= {each: f"  {each}: not tried, since something that needs it is still there" for each in removal.untouched}
    lines |= {each: f"  {each}: the cloud still lists it" for each in still if each not in lines}
    return list(lines.values())


class Remover(Generic[AnyCloudT]):
    """Removes resources in the right order, from several threads at once."""

    def __init__(self, kinds: Kinds[AnyCloudT], session: Session[AnyCloudT]) -> None:
        self._kinds = kinds
        self._session = session
        self._mutex = threading.Lock()
        self._removed: dict[Resource, float] = {}
        self._absent: list[Resource] = []

    def remove(self, resources: Collection[Resource]) -> Removal:
        """Remove them, those that need before those that are needed; a failure holds back only what it needs.

        Of kinds that may need each other (or themselves), the later of two resources is taken to need the earlier: that
        is the order of a journal, and of a graph.
        """
        walked = walk(self._waits_for(tuple(resources)), self._visit, self._session.cancel, keep_going=True)
        return Removal(tuple(self._removed), tuple(self._absent), walked.failed, walked.untouched, self._removed)

    def _waits_for(self, resources: tuple[Resource, ...]) -> dict[Resource, list[Resource]]:
        needed = needed_kinds(self._kinds)

        def may_need(one: Resource, other: Resource) -> bool:
            return other.kind in needed.get(one.kind, ())

        return {
            each: [
                other
                for position, other in enumerate(resources)
                if may_need(other, each) and (position > at or not may_need(each, other))
            ]
            for at, each in enumerate(resources)
        }

    def _visit(self, resource: Resource) -> None:
        start = time.monotonic()
        events = self._session.events
        title = self._kinds[resource.kind].title if resource.kind in self._kinds else resource.kind
        events(Started(resource, title))
        try:
            was_there = self._undo(resource)
        except Exception as error:
            events(Failed(resource, title, error, time.monotonic() - start))
            raise
        seconds = time.monotonic() - start
        with self._mutex:
            if was_there:
                self._removed[resource] = seconds
            else:
                self._absent.append(resource)
        events(Finished(resource, title, Action.REMOVED if was_there else Action.ABSENT, seconds))

    def _undo(self, resource: Resource) -> bool:
        if resource.kind not in self._kinds:
            raise LookupError(f"this version knows no kind {resource.kind!r}: use the version that made it")
        session = self._session
        was_there = self._kinds[resource.kind].undo(session.cloud, resource.key, session.monitor(resource))
        session.journal.forget(resource, on_disk=False)  # a full disk keeps nothing from being removed
        return was_there


def needed_kinds(kinds: Kinds[AnyCloudT]) -> dict[str, frozenset[str]]:
    """For each kind, all kinds that it may need, directly or not, read from the annotations of its fields.

    A field stands for every kind whose class it can hold.
    """
    direct = {
        kind: frozenset(
            other for held in held_classes(step) for other, candidate in kinds.items() if issubclass(candidate, held)
        )
        for kind, step in kinds.items()
    }
    closed = dict(direct)
    while (wider := {k: v.union(*(closed.get(n, v) for n in v)) for k, v in closed.items()}) != closed:
        closed = wider
    return closed
