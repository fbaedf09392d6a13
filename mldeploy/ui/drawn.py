"""The page of a terminal that can draw (Rich)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mldeploy.ui.page import Piece
from mldeploy.ui.terminal import Terminal
from mldeploy.ui.text import printable


def console(terminal: Terminal) -> Console:
    """Rich, told to change nothing in a text: no markup, no emoji, no guessed highlights."""
    colors = terminal.color
    return Console(
        file=terminal.stream, force_terminal=True, no_color=not colors, markup=False, emoji=False, highlight=False
    )


class DrawnPage:
    """Wraps between words, folds what is too wide for a column, colours where colours are wanted."""

    def __init__(self, terminal: Terminal) -> None:
        self._unicode = terminal.unicode
        self._console = console(terminal)

    def line(self, *pieces: Piece) -> None:
        text = Text(overflow="fold")
        for piece in pieces:
            said, style = (piece, "") if isinstance(piece, str) else piece
            text.append(printable(said, unicode=self._unicode), style)
        self._console.print(text)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for head in heads:
            table.add_column(head, overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell, unicode=self._unicode)) for cell in row))
        self._console.print(table)
