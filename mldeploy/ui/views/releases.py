"""How the versions of what runs look: `history`, `rollback`, `scale`."""

from __future__ import annotations

from mldeploy.ui.documents.releases import HistoryDocument, RollbackDocument, ScaleDocument
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import age, counted
from mldeploy.ui.views import Command


def history(document: HistoryDocument, page: Page, command: Command) -> None:
    """`history`."""
    if not document.releases:
        page.line(f"Nothing of {document.app} was brought to {document.target} yet. `{command('deploy')}` does.")
        return
    rows = [
        (each.revision, each.state, age(each.created) if each.created else "", each.image, each.url)
        for each in document.releases
    ]
    page.table(("REVISION", "STATE", "CREATED", "IMAGE", "URL"), rows)


def rolled_back(document: RollbackDocument, page: Page, command: Command, *, terse: bool) -> None:
    """`rollback`. Terse: the URL alone."""
    if terse:
        page.line(document.url)
        return
    page.line((document.app, Style.STRONG), " answers at ", (document.url, Style.LINK))
    page.line("image  ", document.image)
    page.line(f"`{command('deploy')}` goes forward again.")


def scaled(document: ScaleDocument, page: Page) -> None:
    """`scale`."""
    page.line(f"{document.app} runs on {document.target} with {counted(document.count, 'instance')}.")
