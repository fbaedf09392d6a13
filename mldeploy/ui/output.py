"""All printing: results go to stdout, messages to stderr, and under `--json` exactly one document goes to stdout."""

from __future__ import annotations

import contextlib
import math
import os
import re
import select
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from mldeploy.core.redaction import redact
from mldeploy.ui.foreign import ForeignStream, foreign_line
from mldeploy.ui.page import Page, Piece, Style, open_page
from mldeploy.ui.plain import OutputStream
from mldeploy.ui.text import message

if TYPE_CHECKING:
    from mldeploy.core.events import Events
    from mldeploy.ui.documents import Document, ErrorDetails

_STDIN_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class OutputMode:
    """The output options of a command line. rehearsal: the command runs with `--rehearse`."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    color: bool = True
    rehearsal: bool = False


class ProgressDetail(StrEnum):
    """How much of a walk is shown."""

    CHANGES = "changes"
    """A line for every step."""
    PROBES = "probes"
    """Only that the command is working: nothing changes, and the result lists what was read."""


class StdoutError(Exception):
    """Standard output cannot be written: its reader has closed the pipe, or the disk is full."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Output:
    """The streams of a command. Writing to stdout raises StdoutError; errors of stderr are ignored."""

    def __init__(self, mode: OutputMode, stdin: TextIO, stdout: TextIO, stderr: TextIO) -> None:
        self.mode = mode
        self._stdin = stdin
        self._stdin_ended = threading.Event()
        self._stdout = OutputStream.of(stdout, color=mode.color)
        self._stderr = OutputStream.of(stderr, color=mode.color)
        self._foreign = {
            error: ForeignStream(color=each.color) for error, each in ((False, self._stdout), (True, self._stderr))
        }

    @classmethod
    def standard(cls, mode: OutputMode) -> Output:
        """Return an Output on the streams of this process."""
        return cls(mode, sys.stdin, sys.stdout, sys.stderr)

    def with_mode(self, mode: OutputMode) -> Output:
        """Return an Output on the same streams in another mode."""
        return Output(mode, self._stdin, self._stdout.stream, self._stderr.stream)

    @property
    def is_interactive(self) -> bool:
        """Whether the user can answer a question."""
        return not self.mode.json and self._stdin.isatty() and self._stderr.stream.isatty()

    @property
    def is_terminal(self) -> bool:
        """Whether the result goes to a terminal."""
        return not self.mode.json and self._stdout.stream.isatty()

    @contextmanager
    def show_progress(self, detail: ProgressDetail) -> Iterator[Events]:
        """Show the events of a walk while it runs."""
        from mldeploy.ui.plain import PlainLines  # noqa: PLC0415 - not needed for `--help`

        terse = self.mode.quiet
        if terse or self.mode.json or not self._stderr.animated:
            yield PlainLines(self._stderr, terse=terse or detail is ProgressDetail.PROBES)
            return
        from mldeploy.ui.live import LiveDisplay  # noqa: PLC0415 - 40 ms, only for a terminal

        with LiveDisplay(self._stderr, lasting=detail is ProgressDetail.CHANGES) as display:
            yield display

    def result(self, document: Document, render: Callable[[Page], None]) -> None:
        """Print the result of a command: the document under `--json`, else what `render` writes."""
        with _stdout_errors():
            if self.mode.json:
                self._stdout.stream.write(encode_document(document, rehearsal=self.mode.rehearsal))
            else:
                render(open_page(self._stdout))
            self._stdout.stream.flush()

    def write_lines(self, lines: Iterable[str]) -> None:
        """Print lines of the app as they arrive. Of control characters only colours pass, and only to a terminal.

        The filter also applies to a pipe or file, since its content may be shown on a terminal later.
        """
        for line in lines:
            with _stdout_errors():
                self._stdout.stream.write(foreign_line(line, color=self._stdout.color) + "\n")
                self._stdout.stream.flush()

    def write_bytes(self, data: bytes, *, error: bool = False) -> None:
        """Print the output of a user's command: byte for byte, filtered on a terminal. error: print to stderr."""
        terminal = self._stderr if error else self._stdout
        stream = terminal.stream
        with _stdout_errors():
            if stream.isatty():
                stream.write(self._foreign[error].feed(data))
                stream.flush()
                return
            stream.flush()
            stream.buffer.write(data)
            stream.buffer.flush()

    def end_bytes(self) -> None:
        """Print what `write_bytes` has held back, and reset the colours: the command has ended."""
        for error, terminal in ((False, self._stdout), (True, self._stderr)):
            with _stdout_errors():
                terminal.stream.write(self._foreign[error].end())
                terminal.stream.flush()

    def read_stdin(self, limit: int) -> bytes:
        """Read at most `limit` bytes from standard input; empty at its end, or after `end_stdin`.

        Blocks until there is input.
        """
        number = self._stdin.fileno()
        poll = select.poll()
        poll.register(number, select.POLLIN)
        while not self._stdin_ended.is_set():
            if poll.poll(_STDIN_POLL_SECONDS * 1000):
                return os.read(number, limit)
        return b""

    def read_hidden(self, question: str, limit: int) -> bytes:
        """Read a value that must not be shown: a line in a terminal, without echo, else at most `limit` bytes of stdin.

        Blocks until it is entered, or until the end of the input. Raises KeyboardInterrupt in a terminal.
        """
        if self._stdin.isatty():
            import getpass  # noqa: PLC0415 - only for a question

            try:
                return getpass.getpass(question, self._stderr.stream).encode(errors="surrogateescape")
            except EOFError:
                return b""
        data = bytearray()
        while len(data) < limit and (chunk := self.read_stdin(limit - len(data))):
            data += chunk
        return bytes(data)

    def end_stdin(self) -> None:
        """End a `read_stdin` of another thread soon."""
        self._stdin_ended.set()

    def info(self, *pieces: Piece) -> None:
        """Print a message that `--quiet` omits."""
        if not self.mode.quiet:
            self._write_stderr(pieces)

    def warn(self, text: str) -> None:
        """Print a warning, even with `--quiet`."""
        self._write_stderr([("warning: ", Style.WARN), text])

    def notice(self, text: str) -> None:
        """Print that this is a rehearsal, even with `--quiet`."""
        self._write_stderr([("rehearsal: ", Style.WARN), text])

    def error(self, details: ErrorDetails) -> None:
        """Print an error: as text to stderr, and under `--json` as the one document to stdout."""
        details = replace(details, where=redact(details.where), what=redact(details.what), todo=redact(details.todo))
        first, *rest = f"{details.where}: {details.what}".split("\n")
        self._write_stderr([("error: ", Style.BAD), first])
        for line in rest:
            self._write_stderr([line])
        for line in details.todo.split("\n") if details.todo else ():
            self._write_stderr(["  ", line])
        if details.log:
            self._write_stderr([(f"  The traceback is in {details.log}", Style.DIM)])
        if self.mode.json:
            from mldeploy.ui.documents import ErrorDocument  # noqa: PLC0415 - only for an error

            with _stdout_errors():
                self._stdout.stream.write(encode_document(ErrorDocument(details), rehearsal=self.mode.rehearsal))
                self._stdout.stream.flush()

    def _write_stderr(self, pieces: Iterable[Piece]) -> None:
        with contextlib.suppress(OSError, ValueError):  # a message that nobody reads is no failure
            open_page(self._stderr).line(*map(_redacted, pieces))
            self._stderr.stream.flush()

    def confirm(self, question: str, *, default: bool, facts: Iterable[str] = ()) -> bool:
        """Print the facts and ask a yes-or-no question. Needs `is_interactive`. The end of the input means no."""
        for fact in facts:
            self._write_stderr([fact])
        choices = "[Y/n]" if default else "[y/N]"
        while True:
            self._stderr.stream.write(f"{message(question, unicode=self._stderr.unicode)} {choices} ")
            self._stderr.stream.flush()
            line = self._stdin.readline()
            answer = line.strip().lower()
            if not line:
                self._stderr.stream.write("\n")
            if not line or not answer:
                return default and bool(line)
            if answer in {"y", "yes", "n", "no"}:
                return answer.startswith("y")

    def ask(self, question: str, *, facts: Iterable[str] = ()) -> str:
        """Print the facts, ask for a text and return it. Needs `is_interactive`. "" at the end of the input."""
        for fact in facts:
            self._write_stderr([fact])
        self._stderr.stream.write(f"{message(question, unicode=self._stderr.unicode)} ")
        self._stderr.stream.flush()
        line = self._stdin.readline()
        if not line:
            self._stderr.stream.write("\n")
        return line.strip()

    def choose(self, question: str, choices: Sequence[str]) -> int | None:
        """Ask the user to choose; return the index. Needs `is_interactive`. None at the end of the input."""
        for line in (question, *(f"  {number}  {choice}" for number, choice in enumerate(choices, start=1))):
            self._write_stderr([line])
        while True:
            self._stderr.stream.write(f"1 to {len(choices)}: ")
            self._stderr.stream.flush()
            answer = self._stdin.readline()
            if not answer:
                self._stderr.stream.write("\n")
                return None
            if re.fullmatch(r"\s*[0-9]{1,4}\s*", answer) and 1 <= int(answer) <= len(choices):
                return int(answer) - 1


def _redacted(piece: Piece) -> Piece:
    return redact(piece) if isinstance(piece, str) else (redact(piece[0]), piece[1])


@contextmanager
def _stdout_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StdoutError(error) from error


def encode_document(document: Document, *, rehearsal: bool = False) -> str:
    """Encode a document as JSON (RFC 8259) with a final newline, in ASCII for every locale. The key order is stable.

    rehearsal: add the key `rehearsal`.
    """
    import json  # noqa: PLC0415

    content = asdict(document) | ({"rehearsal": True} if rehearsal else {})
    try:
        return _escaped(json.dumps(content, indent=2, allow_nan=False))
    except ValueError:
        return _escaped(json.dumps(_without_non_finite(content), indent=2, allow_nan=False))


def _escaped(text: str) -> str:
    """The one control character that JSON does not escape (RFC 8259, 7)."""
    return text.replace("\x7f", "\\u007f") + "\n"


def _without_non_finite(value: object) -> object:
    """Replace NaN and infinity by None, which JSON cannot express: a model may return them."""
    if isinstance(value, dict):
        return {key: _without_non_finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_non_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
