"""Events as plain lines: one when a step starts, its milestones now and then, one when it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import assert_never

from mldeploy.core.events import Action, Event, Events, Failed, Finished, Noted, Progress, Progressed, Started
from mldeploy.core.step import Resource
from mldeploy.ui.terminal import Terminal
from mldeploy.ui.text import elapsed, printable, seconds, size

MILESTONE_SECONDS = 3.0
STILL_SECONDS = 30.0


@dataclass
class _Told:
    """What has been said of a step that runs. began, last: on the monotonic clock. line: its last milestone."""

    title: str
    began: float
    last: float
    line: str = ""


class PlainLines:
    """Listens to a walk. May be called from several threads; never raises.

    terse: only warnings are worth a line. every: seconds between two milestones of a step, at least. still: seconds
    after which one that is still the same is said again, with the time that the step has taken.
    """

    def __init__(
        self, terminal: Terminal, *, terse: bool, every: float = MILESTONE_SECONDS, still: float = STILL_SECONDS
    ) -> None:
        self._terminal = terminal
        self._terse = terse
        self._every = every
        self._still = still
        self._mutex = threading.Lock()
        self._told: dict[Resource, _Told] = {}

    def __call__(self, event: Event) -> None:
        with self._mutex:
            if isinstance(event, Noted):
                if event.warning or not self._terse:
                    self._write(noted(event))
            elif not self._terse:
                self._tell(event)

    def _tell(self, event: Started | Progressed | Finished | Failed) -> None:
        match event:
            case Started(resource, title):
                now = time.monotonic()
                self._told[resource] = _Told(title, now, now)
                self._write(f"{title} …")
            case Progressed(resource, progress):
                if not progress.item:
                    self._pass(resource, milestone(progress))
            case Finished():
                self._write(finished(event))
            case Failed(_, title, _, passed):
                self._write(f"{title}: failed after {seconds(passed)}")
            case _:
                assert_never(event)

    def _pass(self, resource: Resource, line: str) -> None:
        """A milestone: at once if it is a new one and the last is some seconds old, seldom if it is the same."""
        now = time.monotonic()
        told = self._told.setdefault(resource, _Told(resource.kind, now, 0.0))
        same = line == told.line
        if now - told.last >= (self._still if same else self._every):
            told.last, told.line = now, line
            self._write(f"{told.title}: {line}" + (f" ({elapsed(now - told.began)})" if same else ""))

    def _write(self, line: str) -> None:
        try:
            self._terminal.stream.write(printable(line, unicode=self._terminal.unicode) + "\n")
            self._terminal.stream.flush()
        except (OSError, ValueError):  # whoever listened has gone: the deployment goes on
            self._terse = True


def of_removal(events: Events, doomed: Collection[Resource]) -> Events:
    """The same listener for a walk backwards, where a step's title says the opposite of what is done.

    doomed: what is known to be there; that the rest was not there is no news.
    """

    def listen(event: Event) -> None:
        if isinstance(event, Started | Finished | Failed):
            expected = event.resource in doomed
            is_absent = isinstance(event, Finished) and event.action is Action.ABSENT
            if not expected and (is_absent or isinstance(event, Started)):
                return
            event = replace(event, title=f"Remove the {event.resource.kind} {event.resource.key.name}")
        events(event)

    return listen


def of_sweep(events: Events, wanted: Collection[Resource]) -> Events:
    """The same listener for a walk that ends by removing what it no longer wants, of which only that is told."""
    swept = of_removal(events, ())

    def listen(event: Event) -> None:
        known = isinstance(event, Noted) or event.resource in wanted
        (events if known else swept)(event)

    return listen


def noted(event: Noted) -> str:
    """A sentence that belongs to no step."""
    return f"warning: {event.text}" if event.warning else event.text


def milestone(progress: Progress) -> str:
    """`4/9 RUN …`, or `12 MB of 40 MB …`."""
    if not progress.total:
        return progress.text
    if progress.in_bytes:
        return f"{size(progress.done)} of {size(progress.total)} {progress.text}"
    return f"{progress.done}/{progress.total} {progress.text}"


def finished(event: Finished) -> str:
    """`Build the image: created in 12 s (cpu 256 → 512)`."""
    drift = f" ({', '.join(event.drift)})" if event.drift and event.action is Action.UPDATED else ""
    took = "" if event.action in {Action.UNCHANGED, Action.ABSENT} else f" in {seconds(event.seconds)}"
    return f"{event.title}: {WORDS[event.action]}{took}{drift}"


WORDS = {
    Action.CREATED: "created",
    Action.UPDATED: "updated",
    Action.UNCHANGED: "unchanged",
    Action.REMOVED: "removed",
    Action.ABSENT: "was not there",
}
