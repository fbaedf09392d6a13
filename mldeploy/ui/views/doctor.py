"""How the doctor's report looks."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from mldeploy.ui.documents.doctor import DiagnosisDocument, DoctorDocument
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import counted
from mldeploy.ui.views import Command

_STYLES = {"ok": Style.GOOD, "warning": Style.WARN, "error": Style.BAD}
_WIDTH = max(map(len, _STYLES))


def report(document: DoctorDocument, page: Page, command: Command, *, terse: bool) -> None:
    """`doctor`. Terse: what is not as it should be."""
    for fix in document.fixes:
        page.item((f"{'mended' if fix.done else 'not mended'}  ",), f"{fix.title}{_because(fix.problem)}")
    shown = [each for each in document.findings if not terse or each.level != "ok"]
    for group, findings in groupby(shown, lambda each: each.group):
        title = f"{group} {document.target}" if group == "target" else group
        page.line((title[0].upper() + title[1:], Style.STRONG))
        _lines(findings, page)
    if not terse:
        page.line()
        page.line(_summary(document, command))


def _lines(findings: Iterable[DiagnosisDocument], page: Page) -> None:
    for each in findings:
        first, *others = each.what.split("\n")
        page.item(
            ("  ", (each.level.ljust(_WIDTH), _STYLES[each.level]), "  "), (each.subject, Style.STRONG), f": {first}"
        )
        for line in (*others, *(each.todo.split("\n") if each.todo else ())):
            page.item((" " * (_WIDTH + 6),), line)


def _because(problem: str) -> str:
    return f": {problem}" if problem else ""


def _summary(document: DoctorDocument, command: Command) -> str:
    counts = [counted(number, noun) for number, noun in _counts(document) if number]
    if not counts:
        return "Everything is as it should be."
    fixable = sum(each.fixable for each in document.findings)
    mend = f" {fixable} can be mended at once: `{command('doctor --fix')}`." if fixable else ""
    return f"{' and '.join(counts)}.{mend}"


def _counts(document: DoctorDocument) -> tuple[tuple[int, str], ...]:
    return (document.errors, "error"), (document.warnings, "warning")
