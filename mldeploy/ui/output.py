"""The one place that prints: data to stdout, talk to stderr, and under `--json` exactly one document on stdout."""

from __future__ import annotations

import contextlib
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from mldeploy.ui.page import Page, Piece, Style, page
from mldeploy.ui.terminal import Terminal
from mldeploy.ui.text import printable

if TYPE_CHECKING:
    from mldeploy.core.events import Events
    from mldeploy.ui.documents import Document
    from mldeploy.ui.documents.general import Problem


@dataclass(frozen=True)
class Manner:
    """How the user wants to be spoken to."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    color: bool = True
    rehearsal: bool = False


class Shown(StrEnum):
    """What of a walk is worth showing."""

    CHANGES = "changes"
    LOOKING = "looking"
    """That it goes on; a step that was seen is no news, the result tells."""


class UnheardError(Exception):
    """Standard output could not be written: nobody reads it any more, or its disk is full."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Output:
    """A command's way to its user. What writes to stdout raises UnheardError; talk that nobody hears is no error."""

    def __init__(self, manner: Manner, stdin: TextIO, stdout: TextIO, stderr: TextIO) -> None:
        self.manner = manner
        self._stdin = stdin
        self._stdout = Terminal.of(stdout, color=manner.color)
        self._stderr = Terminal.of(stderr, color=manner.color)

    @classmethod
    def standard(cls, manner: Manner) -> Output:
        """On the process's own streams."""
        return cls(manner, sys.stdin, sys.stdout, sys.stderr)

    def speaking(self, manner: Manner) -> Output:
        """The same streams, another manner."""
        return Output(manner, self._stdin, self._stdout.stream, self._stderr.stream)

    @property
    def is_dialogue(self) -> bool:
        """There is somebody to ask."""
        return not self.manner.json and self._stdin.isatty() and self._stderr.stream.isatty()

    @property
    def is_on_terminal(self) -> bool:
        """The result is read by a person, now."""
        return not self.manner.json and self._stdout.stream.isatty()

    @contextmanager
    def watching(self, shown: Shown) -> Iterator[Events]:
        """Show a walk's events while it runs."""
        from mldeploy.ui.plain import PlainLines  # noqa: PLC0415 - `--help` has nothing to watch

        terse = self.manner.quiet
        if terse or self.manner.json or not self._stderr.animated:
            yield PlainLines(self._stderr, terse=terse or shown is Shown.LOOKING)
            return
        from mldeploy.ui.live import LiveDisplay  # noqa: PLC0415 - 40 ms that a pipe does not need

        with LiveDisplay(self._stderr, lasting=shown is Shown.CHANGES) as display:
            yield display

    def result(self, document: Document, view: Callable[[Page], None]) -> None:
        """Print a command's result: the document under `--json`, otherwise what the view makes of it."""
        with _heard():
            if self.manner.json:
                self._stdout.stream.write(encoded(document, rehearsal=self.manner.rehearsal))
            else:
                view(page(self._stdout))
            self._stdout.stream.flush()

    def lines(self, lines: Iterable[str]) -> None:
        """Print lines as they come, unchanged: they are the app's own."""
        for line in lines:
            with _heard():
                self._stdout.stream.write(line + "\n")
                self._stdout.stream.flush()

    def passed_on(self, data: bytes, *, error: bool = False) -> None:
        """Print what a command of the user's has written, byte by byte as it came."""
        stream = (self._stderr if error else self._stdout).stream
        with _heard():
            stream.flush()
            stream.buffer.write(data)
            stream.buffer.flush()

    def typed(self, limit: int) -> bytes:
        """What stands on standard input, at most so many bytes; none at its end. Blocks until there is something."""
        return os.read(self._stdin.fileno(), limit)

    def say(self, *pieces: Piece) -> None:
        """Talk, which the user can do without."""
        if not self.manner.quiet:
            self._tell(pieces)

    def warn(self, text: str) -> None:
        """What asks for attention, however the user wants to be spoken to."""
        self._tell([("warning: ", Style.WARN), text])

    def remind(self, text: str) -> None:
        """What this is a rehearsal of, however the user wants to be spoken to."""
        self._tell([("rehearsal: ", Style.WARN), text])

    def problem(self, problem: Problem) -> None:
        """Print what went wrong: in words on stderr, and as the one document under `--json`."""
        first, *rest = f"{problem.where}: {problem.what}".split("\n")
        self._tell([("error: ", Style.BAD), first])
        for line in rest:
            self._tell([line])
        for line in problem.todo.split("\n") if problem.todo else ():
            self._tell(["  ", line])
        if problem.log:
            self._tell([(f"  The traceback is in {problem.log}", Style.DIM)])
        if self.manner.json:
            from mldeploy.ui.documents.general import ErrorDocument  # noqa: PLC0415

            with _heard():
                self._stdout.stream.write(encoded(ErrorDocument(problem), rehearsal=self.manner.rehearsal))
                self._stdout.stream.flush()

    def _tell(self, pieces: Iterable[Piece]) -> None:
        with contextlib.suppress(OSError, ValueError):  # talk that nobody hears changes nothing
            page(self._stderr).line(*pieces)
            self._stderr.stream.flush()

    def confirmed(self, question: str, *, default: bool, facts: Iterable[str] = ()) -> bool:
        """Show the facts and ask, to be called only in a dialogue. The end of the input means no."""
        for fact in facts:
            self._tell([fact])
        choices = "[Y/n]" if default else "[y/N]"
        while True:
            self._stderr.stream.write(f"{printable(question, unicode=self._stderr.unicode)} {choices} ")
            self._stderr.stream.flush()
            line = self._stdin.readline()
            answer = line.strip().lower()
            if not line:
                self._stderr.stream.write("\n")
            if not line or not answer:
                return default and bool(line)
            if answer in {"y", "yes", "n", "no"}:
                return answer.startswith("y")

    def chosen(self, question: str, choices: Sequence[str]) -> int | None:
        """Ask for one of several on the terminal; to be called only in a dialogue. None at the end of the input."""
        for line in (question, *(f"  {number}  {choice}" for number, choice in enumerate(choices, start=1))):
            self._tell([line])
        while True:
            self._stderr.stream.write(f"1 to {len(choices)}: ")
            self._stderr.stream.flush()
            answer = self._stdin.readline()
            if not answer:
                self._stderr.stream.write("\n")
                return None
            if re.fullmatch(r"\s*[0-9]{1,4}\s*", answer) and 1 <= int(answer) <= len(choices):
                return int(answer) - 1


@contextmanager
def _heard() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnheardError(error) from error


def encoded(document: Document, *, rehearsal: bool = False) -> str:
    """One JSON document (RFC 8259) and a newline, in ASCII: it survives every locale. Keys stand in a stable order.

    rehearsal: it is to say that it is one.
    """
    import json  # noqa: PLC0415

    content = asdict(document) | ({"rehearsal": True} if rehearsal else {})
    try:
        return json.dumps(content, indent=2, allow_nan=False) + "\n"
    except ValueError:
        return json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"


def _finite(value: object) -> object:
    """The same with null for what JSON has no number for: a model may well answer NaN."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
