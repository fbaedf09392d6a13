"""Events as plain lines: one when a step starts, one for its progress now and then, one when it ends."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TextIO, assert_never

from mldeploy.core.errors import InterruptedByUser
from mldeploy.core.events import Action, Event, Events, Failed, Finished, Noted, Progress, Progressed, Started
from mldeploy.core.monitor import CancelledError
from mldeploy.core.step import Resource
from mldeploy.ui.text import elapsed, message, seconds, size

MILESTONE_SECONDS = 3.0
STILL_SECONDS = 30.0


@dataclass
class StepStatus:
    """The printed state of a running step. began, last: on the monotonic clock. line: its last progress."""

    title: str
    began: float
    last: float
    line: str = ""


class PlainLines:
    """Prints the events of a walk. Thread-safe; never raises.

    terse: print warnings only. every: minimum seconds between two progress lines of a step. still: seconds after which
    unchanged progress is printed again, with the duration of the step.
    """

    def __init__(
        self, terminal: OutputStream, *, terse: bool, every: float = MILESTONE_SECONDS, still: float = STILL_SECONDS
    ) -> None:
        self._terminal = terminal
        self._terse = terse
        self._every = every
        self._still = still
        self._mutex = threading.Lock()
        self._steps: dict[Resource, StepStatus] = {}

    def __call__(self, event: Event) -> None:
        with self._mutex:
            if isinstance(event, Noted):
                if event.warning or not self._terse:
                    self._write(describe_note(event))
            elif not self._terse:
                self._print_event(event)

    def _print_event(self, event: Started | Progressed | Finished | Failed) -> None:
        match event:
            case Started(resource, title):
                now = time.monotonic()
                self._steps[resource] = StepStatus(title, now, now)
                self._write(f"{title} …")
            case Progressed(resource, progress):
                if not progress.item:
                    self._print_progress(resource, describe_progress(progress))
            case Finished():
                self._write(describe_finished(event))
            case Failed(refused=True):
                pass
            case Failed(_, title, error, passed):
                self._write(f"{title}: {describe_end(error)} after {seconds(passed)}")
            case _:
                assert_never(event)

    def _print_progress(self, resource: Resource, line: str) -> None:
        """Print progress: new progress after `every` seconds, unchanged progress after `still` seconds."""
        now = time.monotonic()
        status = self._steps.setdefault(resource, StepStatus(resource.kind, now, 0.0))
        same = line == status.line
        if now - status.last >= (self._still if same else self._every):
            status.last, status.line = now, line
            self._write(f"{status.title}: {line}" + (f" ({elapsed(now - status.began)})" if same else ""))

    def _write(self, line: str) -> None:
        try:
            self._terminal.stream.write(message(line, unicode=self._terminal.unicode) + "\n")
            self._terminal.stream.flush()
        except (OSError, ValueError):  # the reader is gone: the deployment continues
            self._terse = True


def as_removal_events(events: Events, doomed: Collection[Resource]) -> Events:
    """Wrap a listener for a removal: the title of a step describes its creation, so it is replaced.

    doomed: resources that exist. Events of others are passed on only if one is removed.
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


def as_sweep_events(events: Events, kept: Collection[Resource]) -> Events:
    """Wrap a listener for a walk that removes obsolete resources at its end: of those, only removals are passed on."""
    swept = as_removal_events(events, ())

    def listen(event: Event) -> None:
        known = isinstance(event, Noted) or event.resource in kept
        (events if known else swept)(event)

    return listen


def describe_end(error: Exception) -> str:
    """Return the word for a step that did not reach its end."""
    return "stopped" if isinstance(error, CancelledError | InterruptedByUser) else "failed"


def describe_note(event: Noted) -> str:
    """Return the text of a message that belongs to no step."""
    return f"warning: {event.text}" if event.warning else event.text


def describe_progress(progress: Progress) -> str:
    """`4/9 RUN …`, or `12 MB of 40 MB …`."""
    if not progress.total:
        return progress.text
    if progress.in_bytes:
        return f"{size(progress.done)} of {size(progress.total)} {progress.text}"
    return f"{progress.done}/{progress.total} {progress.text}"


def describe_finished(event: Finished) -> str:
    """`Build the image: created in 12 s (cpu 256 → 512)`."""
    drift = f" ({', '.join(event.drift)})" if event.drift and event.action is Action.UPDATED else ""
    took = "" if event.action in {Action.UNCHANGED, Action.ABSENT} else f" in {seconds(event.seconds)}"
    return f"{event.title}: {ACTION_WORDS[event.action]}{took}{drift}"


ACTION_WORDS = {
    Action.CREATED: "created",
    Action.UPDATED: "updated",
    Action.UNCHANGED: "unchanged",
    Action.REMOVED: "removed",
    Action.ABSENT: "not present",
}


@dataclass(frozen=True)
class OutputStream:
    """A stream and its capabilities. animated: lines can be redrawn; false for a pipe, a file or a dumb terminal."""

    stream: TextIO
    animated: bool
    color: bool
    unicode: bool

    @classmethod
    def of(cls, stream: TextIO, *, color: bool = True, environment: Mapping[str, str] = os.environ) -> OutputStream:
        """Standards: no-color.org, and terminfo's `dumb`."""
        animated = stream.isatty() and environment.get("TERM", "") not in {"", "dumb", "unknown"}
        colored = animated and color and not environment.get("NO_COLOR")
        return cls(stream, animated, colored, _supports_unicode(stream, environment))


def _supports_unicode(stream: TextIO, environment: Mapping[str, str]) -> bool:
    if not (stream.encoding or "").lower().startswith("utf"):
        return False
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or "C"
    # In the C locale Python itself sets LC_CTYPE=C.UTF-8 (PEP 538), so it is not the user's choice.
    coerced = locale == environment.get("LC_CTYPE") == "C.UTF-8" and environment.get("LANG", "C") in {"", "C", "POSIX"}
    return "utf" in locale.lower() and not coerced
