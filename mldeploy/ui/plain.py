"""Events as plain lines: one when a step starts, its milestones now and then, one when it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import replace
from typing import assert_never

from mldeploy.core.events import Action, Event, Events, Failed, Finished, Noted, Progress, Progressed, Started
from mldeploy.core.step import Resource
from mldeploy.ui.terminal import Terminal
from mldeploy.ui.text import printable, seconds, size

MILESTONE_SECONDS = 3.0


class PlainLines:
    """Listens to a walk. May be called from several threads; never raises.

    terse: only warnings are worth a line. every: seconds between two milestones of a step, at least.
    """

    def __init__(self, terminal: Terminal, *, terse: bool, every: float = MILESTONE_SECONDS) -> None:
        self._terminal = terminal
        self._terse = terse
        self._every = every
        self._mutex = threading.Lock()
        self._titles: dict[Resource, str] = {}
        self._spoken: dict[Resource, float] = {}

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
                self._titles[resource] = title
                self._spoken[resource] = time.monotonic()
                self._write(f"{title} …")
            case Progressed(resource, progress):
                now = time.monotonic()
                if not progress.item and now - self._spoken.get(resource, 0.0) >= self._every:
                    self._spoken[resource] = now
                    self._write(f"{self._titles.get(resource, resource.kind)}: {milestone(progress)}")
            case Finished():
                self._write(finished(event))
            case Failed(_, title, _, passed):
                self._write(f"{title}: failed after {seconds(passed)}")
            case _:
                assert_never(event)

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
