"""The `deploy` walk: probe, journal, apply; then remove resources that the deployment no longer has."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic

from mldeploy.core.errors import ExitCode, InterruptedByUser, MldeployError, RefusedError
from mldeploy.core.events import Action, Failed, Finished, Noted, Started
from mldeploy.core.graph import steps_of, walk
from mldeploy.core.journal import Session
from mldeploy.core.monitor import CancelledError, monitored_probe
from mldeploy.core.step import AnyCloudT, Gates, Kinds, Outputs, Resource, Seen, Step, T
from mldeploy.core.verbs.destroy import Remover


@dataclass(frozen=True)
class Done:
    """What was done to one thing, in how many seconds."""

    resource: Resource
    title: str
    action: Action
    seconds: float


@dataclass(frozen=True)
class Deployed(Generic[T]):
    """A walk that reached its goal: the goal's output, and every step in the order in which it ended."""

    out: T
    steps: tuple[Done, ...]


class DeploymentFailedError(MldeployError):
    """One or more steps failed. What had been made stays, and is in the journal."""

    def __init__(self, failures: tuple[tuple[str, Exception], ...]) -> None:
        """`failures`: the failed steps' titles and errors, the first failure first."""
        self.failures = failures
        title, first = failures[0]
        if isinstance(first, MldeployError):
            super().__init__(f"{title}: {first.where}", first.what, first.todo)
        else:
            super().__init__(title, repr(first))

    @property
    def exit_code(self) -> ExitCode:
        first = self.failures[0][1]
        return first.exit_code if isinstance(first, MldeployError) else ExitCode.INTERNAL


def deploy(
    goal: Step[AnyCloudT, T],
    session: Session[AnyCloudT],
    *,
    gates: Gates[AnyCloudT] | None = None,
    sweep: Kinds[AnyCloudT] | None = None,
    replace: bool = False,
) -> Deployed[T]:
    """Make everything that the goal needs exist, and return the goal's output. Safe to repeat: resuming is repeating.

    gates: what must have succeeded before a step. sweep: the kinds of which the journal's entries outside the graph
    are removed after success. None sweeps nothing: a walk to an intermediate goal must not remove the rest. replace:
    the user allows delete and recreate where an update is not possible.

    Raises DeploymentFailedError, InterruptedByUser, StateError. Blocks until nothing runs.
    """
    graph = steps_of(goal, gates)
    if session.journal.predecessor:
        session.events(Noted(f"Resuming: {session.journal.predecessor} did not finish."))
    maker = _Maker(session, replace)
    walked = walk(graph, maker.visit, session.cancel)
    faults = tuple((step.title, error) for step, error in walked.failed if not isinstance(error, CancelledError))
    if faults:
        raise DeploymentFailedError(faults)
    if walked.failed or walked.untouched:
        raise interrupted()
    removed = _sweep(session, sweep, {step.resource for step in graph}) if sweep else ()
    return Deployed(maker.made[id(goal)], (*maker.steps, *removed))  # type: ignore[arg-type]  # the goal's own output


def interrupted() -> InterruptedByUser:
    """Return the error after Ctrl-C."""
    todo = "Run `mldeploy deploy` to resume, or `mldeploy destroy` to remove what was created."
    return InterruptedByUser("mldeploy", "interrupted. Progress is saved.", todo)


class _Maker(Generic[AnyCloudT]):
    """Makes one step after the other, from several threads at once."""

    def __init__(self, session: Session[AnyCloudT], replace: bool) -> None:
        self.session = session
        self.replace = replace
        self.made: dict[int, object] = {}
        self.steps: list[Done] = []

    def visit(self, step: Step[AnyCloudT, object]) -> None:
        start = time.monotonic()
        self.session.events(Started(step.resource, step.title))
        try:
            out, action, drift = self._ensure(step)
        except Exception as error:
            self.session.events(Failed(step.resource, step.title, error, time.monotonic() - start))
            raise
        self.made[id(step)] = out
        seconds = time.monotonic() - start
        self.steps.append(Done(step.resource, step.title, action, seconds))
        self.session.events(Finished(step.resource, step.title, action, seconds, drift))

    def _ensure(self, step: Step[AnyCloudT, object]) -> tuple[object, Action, tuple[str, ...]]:
        outs = Outputs(step, self.made)
        cloud = self.session.cloud
        monitor = self.session.monitor(step.resource)
        with monitored_probe(monitor):
            seen = step.probe(cloud, outs)
        drift = (*seen.replace, *seen.drift) if seen else ()
        if seen and not drift:
            if seen.ours:  # a journal that was lost is whole again, and what is renamed later is still swept
                self._record(step)
            return seen.out, Action.UNCHANGED, ()
        if seen:
            self._check_allowed(step, seen)
        monitor.check()
        self._record(step)
        if seen and seen.replace:
            step.undo(cloud, step.key(), monitor)
        out = step.apply(cloud, outs, None if seen and seen.replace else seen, monitor)
        return out, Action.UPDATED if seen else Action.CREATED, drift

    def _record(self, step: Step[AnyCloudT, object]) -> None:
        if step.journaled:
            self.session.journal.begin(step.resource)

    def _check_allowed(self, step: Step[AnyCloudT, object], seen: Seen[object]) -> None:
        where, differs = str(step.resource), ", ".join((*seen.replace, *seen.drift))
        if not seen.ours:
            todo = "Change it yourself, or choose another app name in mldeploy.toml."
            raise RefusedError(where, f"exists, differs ({differs}), and mldeploy did not make it", todo)
        if seen.replace and not self.replace:
            todo = "Use --replace to delete and recreate it (downtime)."
            raise RefusedError(where, f"must be replaced ({differs})", todo)


def is_swept(resource: Resource, kinds: Kinds[AnyCloudT]) -> bool:
    """Whether a deployment removes a resource that its graph does not have. kinds: those that it may sweep."""
    return resource.kind in kinds and kinds[resource.kind].swept


def _sweep(session: Session[AnyCloudT], kinds: Kinds[AnyCloudT], kept: Collection[Resource]) -> tuple[Done, ...]:
    """Remove what the journal lists and the graph no longer has. What stays is only warned of: the goal is reached."""
    old = [known for known in session.journal.resources if known not in kept and is_swept(known, kinds)]
    removal = Remover(kinds, session).remove(old)
    for resource, error in removal.failed:
        message = str(error) or repr(error)
        session.events(Noted(f"{resource} is no longer needed and could not be removed: {message}", warning=True))
    for resource in removal.untouched:
        session.events(Noted(f"{resource} is no longer needed and was not removed; it stays listed.", warning=True))
    return tuple(Done(each, kinds[each.kind].title, Action.REMOVED, removal.seconds[each]) for each in removal.removed)
