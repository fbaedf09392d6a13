"""How a rehearsal looks: `rehearse`."""

from __future__ import annotations

from mldeploy.ui.documents.rehearsal import RehearseDocument
from mldeploy.ui.page import Page, Style


def rehearsal(document: RehearseDocument, page: Page) -> None:
    """`rehearse`."""
    if document.url is None:
        page.line("Nothing is rehearsed. `mldeploy rehearse up` starts it, and so does any command with --rehearse.")
        return
    page.line((document.cloud, Style.STRONG), " is played at ", (document.url, Style.LINK), " on this machine.")
    if document.contents:
        page.line()
        page.table(("KIND", "NAME"), [(each.kind, each.name) for each in document.contents])
    else:
        page.line("It holds nothing. `mldeploy deploy -t fargate --rehearse` brings an app there.")
