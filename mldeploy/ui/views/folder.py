"""How a folder looks: `init`."""

from __future__ import annotations

from mldeploy.ui.documents.folder import FindingDocument, InitDocument, RemarkDocument
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import counted
from mldeploy.ui.views import Command

_STYLES = {"error": Style.BAD, "warning": Style.WARN, "note": Style.DIM}
_NAMES = {
    "predict_table": "predict, tables",
    "env_file": "env file",
    "golden": "golden row",
    "system_packages": "system",
}


def initialized(document: InitDocument, page: Page, command: Command, *, terse: bool) -> None:
    """`init`. Terse: the names of the files that were written."""
    if terse:
        for name in document.written:
            page.line(name)
        return
    page.table(("FOUND", "WHAT", "WHERE"), map(_row, document.found))
    for remark in document.remarks:
        _remark(remark, page)
    page.line()
    for name in document.written:
        page.line("wrote ", (name, Style.STRONG))
    for name in document.kept:
        page.line(f"kept {name}, which was there already")
    errors = sum(remark.severity == "error" for remark in document.remarks)
    if errors:
        page.line(f"{counted(errors, 'error')} to see to first; then `{command('build')}`.")
    else:
        page.line(f"Next: `{command('build')}`, or `{command('deploy')}` at once.")


def _row(finding: FindingDocument) -> tuple[str, str, str]:
    guess = " (a guess)" if finding.certainty == "guess" else ""
    return _NAMES.get(finding.kind, finding.kind), f"{finding.value}{guess}", finding.source


def _remark(remark: RemarkDocument, page: Page) -> None:
    page.line()
    page.item(((f"{remark.severity}: ", _STYLES[remark.severity]),), f"{remark.source}: {remark.what}")
    if remark.todo:
        page.item(("  ",), remark.todo)
