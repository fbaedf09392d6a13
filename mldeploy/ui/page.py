"""Pages that results are printed to: styled lines and tables on a terminal, plain aligned text elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol, TextIO

from mldeploy.ui.plain import OutputStream
from mldeploy.ui.text import printable


class Style(StrEnum):
    """Roles of text; the values are Rich styles."""

    STRONG = "bold"
    GOOD = "green"
    WARN = "yellow"
    BAD = "bold red"
    DIM = "dim"
    LINK = "bold cyan underline"


Piece = str | tuple[str, Style]


class Page(Protocol):
    """Prints lines and tables immediately."""

    def line(self, *pieces: Piece) -> None:
        """One line of text; a long one is wrapped between words on a terminal only."""

    def verbatim(self, line: str) -> None:
        """One line that the user copies: never wrapped."""

    def item(self, head: Sequence[Piece], *pieces: Piece) -> None:
        """One line that begins with `head`. Wrapped text is aligned with the text, not with the head."""

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Aligned columns; nothing is cut off."""


def open_page(terminal: OutputStream) -> Page:
    """Return the page for a stream. Rich is loaded only for a terminal."""
    if not terminal.animated:
        return PlainPage(terminal.stream, unicode=terminal.unicode)
    from mldeploy.ui.rich_page import RichPage  # noqa: PLC0415 - 30 ms, only for a terminal

    return RichPage(terminal)


class PlainPage:
    """Text without escape sequences, for pipes, files and dumb terminals."""

    def __init__(self, stream: TextIO, *, unicode: bool) -> None:
        self._stream = stream
        self._unicode = unicode

    def line(self, *pieces: Piece) -> None:
        text = "".join(piece if isinstance(piece, str) else piece[0] for piece in pieces)
        self._write(text)

    def verbatim(self, line: str) -> None:
        self.line(line)

    def item(self, head: Sequence[Piece], *pieces: Piece) -> None:
        self.line(*head, *pieces)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        lines = [[self._clean(cell) for cell in row] for row in (heads, *rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            self._write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())

    def _clean(self, cell: str) -> str:
        return printable(" ".join(cell.split("\n")), unicode=self._unicode) or "-"

    def _write(self, text: str) -> None:
        self._stream.write(printable(text, unicode=self._unicode) + "\n")
