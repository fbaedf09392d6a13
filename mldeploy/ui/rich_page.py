"""The page for a terminal, printed with Rich."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mldeploy.ui.page import Piece
from mldeploy.ui.plain import OutputStream
from mldeploy.ui.text import printable

GAP = 2
"""Spaces between two columns."""


def rich_console(terminal: OutputStream) -> Console:
    """Return a Rich console that prints text unchanged: no markup, no emoji, no highlighting."""
    colors = terminal.color
    return Console(
        file=terminal.stream, force_terminal=True, no_color=not colors, markup=False, emoji=False, highlight=False
    )


class RichPage:
    """Wraps between words and prints a table that is too wide as blocks."""

    def __init__(self, terminal: OutputStream) -> None:
        self._unicode = terminal.unicode
        self._console = rich_console(terminal)

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
            content, style = (piece, "") if isinstance(piece, str) else piece
            text.append(printable(content, unicode=self._unicode), style)
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
        """Print a block for each row with a line for each cell that is not empty."""
        label = max(map(len, heads)) + GAP
        for number, row in enumerate(rows):
            if number:
                self._console.print()
            for head, cell in zip(heads, row, strict=True):
                if cell:
                    self._console.print(Text(head.ljust(label), "bold").append(cell, "not bold"), overflow="fold")
