"""The page of a terminal that can draw (Rich)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mldeploy.ui.page import Piece
from mldeploy.ui.terminal import Terminal
from mldeploy.ui.text import printable

GAP = 2
"""Spaces between two columns."""


def console(terminal: Terminal) -> Console:
    """Rich, told to change nothing in a text: no markup, no emoji, no guessed highlights."""
    colors = terminal.color
    return Console(
        file=terminal.stream, force_terminal=True, no_color=not colors, markup=False, emoji=False, highlight=False
    )


class DrawnPage:
    """Wraps between words, turns a table that is too wide into blocks, colours where colours are wanted."""

    def __init__(self, terminal: Terminal) -> None:
        self._unicode = terminal.unicode
        self._console = console(terminal)

    def line(self, *pieces: Piece) -> None:
        self._console.print(self._text(pieces))

    def verbatim(self, line: str) -> None:
        self._console.print(self._text([line]), soft_wrap=True)

    def item(self, head: Sequence[Piece], *pieces: Piece) -> None:
        line = Table.grid()
        line.add_column(no_wrap=True)
        line.add_column(overflow="fold")
        line.add_row(self._text(head), self._text(pieces))
        self._console.print(line)

    def _text(self, pieces: Iterable[Piece]) -> Text:
        text = Text(overflow="fold")
        for piece in pieces:
            said, style = (piece, "") if isinstance(piece, str) else piece
            text.append(printable(said, unicode=self._unicode), style)
        return text

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        cells = [[printable(cell, unicode=self._unicode) for cell in row] for row in rows]
        width = sum(max(map(len, column)) + GAP for column in zip(heads, *cells, strict=True)) - GAP
        if width > self._console.width:
            self._blocks(heads, cells)
            return
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
        for head in heads:
            table.add_column(head)
        for row in cells:
            table.add_row(*map(Text, row))
        self._console.print(table)

    def _blocks(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """What is too wide for the terminal: a block for each row, a line for each cell that says something."""
        label = max(map(len, heads)) + GAP
        for number, row in enumerate(rows):
            if number:
                self._console.print()
            for head, cell in zip(heads, row, strict=True):
                if cell:
                    self._console.print(Text(head.ljust(label), "bold").append(cell, "not bold"), overflow="fold")
