"""How the doctor's report looks."""

from __future__ import annotations

from itertools import groupby

from mldeploy.ui.documents.doctor import DoctorDocument
from mldeploy.ui.page import Page, Style
from mldeploy.ui.views import Command
from mldeploy.ui.views.findings import lines, summary


def report(document: DoctorDocument, page: Page, command: Command, *, terse: bool) -> None:
    """`doctor`. Terse: what is not as it should be."""
    for fix in document.fixes:
        page.item((f"{'mended' if fix.done else 'not mended'}  ",), f"{fix.title}{_because(fix.problem)}")
    shown = [each for each in document.findings if not terse or each.level != "ok"]
    for group, findings in groupby(shown, lambda each: each.group):
        title = f"{group} {document.target}" if group == "target" else group
        page.line((title[0].upper() + title[1:], Style.STRONG))
        lines(findings, page)
    if not terse:
        page.line()
        page.line(_summary(document, command))


def _because(problem: str) -> str:
    return f": {problem}" if problem else ""


def _summary(document: DoctorDocument, command: Command) -> str:
    counts = summary(document.errors, document.warnings)
    if not counts:
        return "Everything is as it should be."
    fixable = sum(each.fixable for each in document.findings)
    mend = f" {fixable} can be mended at once: `{command('doctor --fix')}`." if fixable else ""
    return f"{counts}.{mend}"
