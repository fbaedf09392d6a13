"""How a workflow looks: `ci`."""

from __future__ import annotations

from mldeploy.ui.documents.automation import WorkflowDocument
from mldeploy.ui.page import Page, Style


def written(document: WorkflowDocument, page: Page, *, terse: bool) -> None:
    """`ci`. Terse: the file's name."""
    if terse:
        page.line(document.file)
        return
    page.line(f"{document.state} ", (document.file, Style.STRONG))
    page.line("lints: ", "; ".join(document.lint))
    page.line("tests: ", document.test or "nothing")
    page.line(f"brings to {document.target}: what is pushed to the branch {document.branch}")
    for remark in document.remarks:
        page.item((("note: ", Style.WARN),), remark)
    page.line()
    page.line("What remains to be done once, in one shell, in the app's folder:")
    for number, each in enumerate(document.once, start=1):
        page.line()
        page.verbatim(f"# {number}. {each.what[0].upper()}{each.what[1:]}")
        for command in each.commands:
            page.verbatim(command)
