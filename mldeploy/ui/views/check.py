"""How the verdict on an image looks: `check`, and below the image in `build`."""

from __future__ import annotations

from mldeploy.ui.documents.check import CheckDocument
from mldeploy.ui.documents.verdict import VerdictDocument
from mldeploy.ui.page import Page, Style
from mldeploy.ui.views.findings import lines, summary


def checked(document: CheckDocument, page: Page, *, terse: bool) -> None:
    """`check`. Terse: what is not as it should be."""
    verdict = document.verdict
    if not terse:
        page.line((document.image, Style.STRONG))
    lines((each for each in verdict.findings if not terse or each.level != "ok"), page)
    if terse:
        return
    page.line()
    if document.sbom:
        page.line(f"The bill of materials is in {document.sbom}.")
    counts = summary(verdict.errors, verdict.warnings)
    page.line(f"{counts}." if counts else "The image is as it should be.")


def in_brief(verdict: VerdictDocument, page: Page) -> None:
    """For a command of which the verdict is only a part: how many lines were good, and those that were not."""
    good = sum(each.level == "ok" for each in verdict.findings)
    counts = summary(verdict.errors, verdict.warnings)
    page.line()
    page.line(f"Checked{'' if verdict.anew else ' earlier'}: {good} ok{f', {counts}' if counts else ''}.")
    lines((each for each in verdict.findings if each.level != "ok"), page)
