"""What results are written on: styled lines and tables on a terminal, plain aligned text elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol, TextIO

from mldeploy.ui.terminal import Terminal
from mldeploy.ui.text import printable


class Style(StrEnum):
    """What a piece of text is; the values are the terminal's styles."""

    STRONG = "bold"
    GOOD = "green"
    WARN = "yellow"
    BAD = "bold red"
    DIM = "dim"
    LINK = "bold cyan underline"


Piece = str | tuple[str, Style]


class Page(Protocol):
    """Lines and tables, written at once."""

    def line(self, *pieces: Piece) -> None:
        """One line of text; a long one is wrapped between words on a terminal only."""

    def verbatim(self, line: str) -> None:
        """One line to be copied and used elsewhere: never wrapped."""

    def item(self, head: Sequence[Piece], *pieces: Piece) -> None:
        """One line that begins with `head`; what of a long one is wrapped stands below its text, not below its head."""

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Aligned columns; nothing is cut off."""


def page(terminal: Terminal) -> Page:
    """The page that suits a stream. The library that draws is loaded only where there is a terminal to draw on."""
    if not terminal.animated:
        return PlainPage(terminal.stream, unicode=terminal.unicode)
    from mldeploy.ui.drawn import DrawnPage  # noqa: PLC0415 - 30 ms that a pipe does not need

    return DrawnPage(terminal)


class PlainPage:
    """Text without any escape, for pipes, files and dumb terminals."""

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
