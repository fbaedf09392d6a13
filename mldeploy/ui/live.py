"""Events as a live display: a line with progress bars for each running step; lines of finished steps stay above."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, assert_never

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from mldeploy.core.events import Action, Event, Failed, Finished, Noted, Progress, Progressed, Started
from mldeploy.core.step import Resource
from mldeploy.ui.plain import ACTION_WORDS, OutputStream, describe_end, describe_note, describe_progress
from mldeploy.ui.rich_page import rich_console
from mldeploy.ui.text import elapsed, message, seconds, size

REFRESHES_A_SECOND = 8
BARS = 5
"""More layers than this at once would push the steps off a small terminal."""
TITLE_WIDTH = 24
BAR_WIDTH = 24
SPINNER, ASCII_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"


@dataclass
class LiveStep:
    """A running step."""

    title: str
    since: float
    now: Progress | None = None
    bars: dict[str, Progress] = field(default_factory=dict)


class LiveDisplay:
    """Draws the events of a walk. Thread-safe; never raises.

    lasting: keep a line for each finished step. Otherwise only running steps are shown.
    """

    def __init__(self, terminal: OutputStream, *, lasting: bool = True) -> None:
        self._terminal = terminal
        self._lasting = lasting
        self._console = rich_console(terminal)
        self._mutex = threading.Lock()
        self._rows: dict[Resource, LiveStep] = {}
        self._live = Live(
            self,
            console=self._console,
            refresh_per_second=REFRESHES_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        # Drawing takes the console's lock and then ours; so what is printed is printed when ours is free again.
        with self._mutex:
            lines = list(self._take(event))
        try:
            for line in lines:
                self._console.print(line, overflow="fold")
        except (OSError, ValueError):  # the terminal is gone: the deployment continues
            return

    def _take(self, event: Event) -> Iterator[Text]:
        match event:
            case Started(resource, title):
                self._rows[resource] = LiveStep(title, time.monotonic())
            case Progressed(resource, progress):
                self._progressed(resource, progress)
            case Finished():
                self._rows.pop(event.resource, None)
                yield from self._finished(event) if self._lasting else ()
            case Failed(resource, title, error, passed):
                self._rows.pop(resource, None)
                if self._lasting and not event.refused:
                    yield self._ended("✗", "red", title, describe_end(error), passed)
            case Noted():
                yield Text(self._printable(describe_note(event)), "yellow" if event.warning else "")
            case _:
                assert_never(event)

    def _progressed(self, resource: Resource, progress: Progress) -> None:
        row = self._rows.get(resource)
        if row is None:
            return
        if not progress.item:
            row.now = progress
        elif progress.total and progress.done < progress.total:
            row.bars[progress.item] = progress
        else:
            row.bars.pop(progress.item, None)

    def _finished(self, event: Finished) -> Iterator[Text]:
        if event.action is Action.ABSENT:
            return
        untouched = event.action is Action.UNCHANGED
        passed = None if untouched else event.seconds
        yield self._ended("✓", "dim" if untouched else "green", event.title, ACTION_WORDS[event.action], passed)
        for line in event.drift:
            yield Text(f"  {self._printable(line)}", "dim")

    def _ended(self, mark: str, style: str, title: str, word: str, passed: float | None) -> Text:
        text = Text()
        text.append(self._printable(mark), style)
        text.append(f" {self._printable(title).ljust(self._title_width)}  ")
        text.append(word, style)
        text.append(f"  {seconds(passed)}" if passed is not None else "", "dim")
        return text

    @property
    def _title_width(self) -> int:
        return TITLE_WIDTH if self._console.width >= 60 else 0

    def _printable(self, text: str) -> str:
        return message(text, unicode=self._terminal.unicode)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._mutex:
            rows = [(row, list(row.bars.items())) for row in self._rows.values()]
        for row, bars in rows:
            yield self._running(row, options.max_width)
            for item, progress in bars[:BARS]:
                yield self._bar(item, progress, options.max_width)
            if len(bars) > BARS:
                yield Text(f"  and {len(bars) - BARS} more", "dim")

    def _running(self, row: LiveStep, width: int) -> Text:
        now = time.monotonic()
        frames = SPINNER if self._terminal.unicode else ASCII_SPINNER
        detail = describe_progress(row.now) if row.now else ""
        text = Text()
        text.append(frames[int(now * REFRESHES_A_SECOND) % len(frames)], "cyan")
        text.append(f" {self._printable(row.title).ljust(self._title_width)}  ")
        text.append(elapsed(now - row.since), "dim")
        text.append(f"  {self._printable(' '.join(detail.split()))}", "dim")
        text.truncate(width, overflow="ellipsis" if self._terminal.unicode else "crop")
        return text

    def _bar(self, item: str, progress: Progress, width: int) -> Text:
        full, empty = "━─" if self._terminal.unicode else "#."
        cells = max(4, min(BAR_WIDTH, width - 38))
        done = min(cells, cells * progress.done // progress.total)
        write = size if progress.in_bytes else str
        text = Text()
        text.append(f"  {self._printable(item)[:12].ljust(12)} ", "dim")
        text.append(full * done, "cyan")
        text.append(empty * (cells - done))
        text.append(f" {write(progress.done)} / {write(progress.total)}")
        text.truncate(width)
        return text
