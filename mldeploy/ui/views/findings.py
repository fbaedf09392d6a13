"""How the lines of a report look: ok, warning or error, what it is about, the fact, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import counted

_STYLES = {"ok": Style.GOOD, "warning": Style.WARN, "error": Style.BAD}
_WIDTH = max(map(len, _STYLES))


class Line(Protocol):
    """One finding, of whichever report."""

    @property
    def subject(self) -> str: ...

    @property
    def level(self) -> str: ...

    @property
    def what(self) -> str: ...

    @property
    def todo(self) -> str: ...


def lines(findings: Iterable[Line], page: Page) -> None:
    """A line each, and more below it where there is more to say."""
    for each in findings:
        first, *others = each.what.split("\n")
        page.item(
            ("  ", (each.level.ljust(_WIDTH), _STYLES[each.level]), "  "), (each.subject, Style.STRONG), f": {first}"
        )
        for line in (*others, *(each.todo.split("\n") if each.todo else ())):
            page.item((" " * (_WIDTH + 6),), line)


def summary(errors: int, warnings: int) -> str:
    """`1 error and 2 warnings`; empty if there is neither."""
    counts = [counted(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
    return " and ".join(counts)
