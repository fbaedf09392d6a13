"""How a rehearsal looks: `rehearse`."""

from __future__ import annotations

from mldeploy.ui.documents.rehearsal import CloudDocument, RehearseDocument
from mldeploy.ui.page import Page, Style


def rehearsal(document: RehearseDocument, page: Page) -> None:
    """`rehearse`."""
    up = [each for each in document.clouds if each.url is not None]
    if not up:
        page.line("Nothing is rehearsed. `mldeploy rehearse up` starts it, and so does any command with --rehearse.")
    for number, cloud in enumerate(up):
        if number:
            page.line()
        _cloud(cloud, page)


def _cloud(cloud: CloudDocument, page: Page) -> None:
    page.line((cloud.cloud, Style.STRONG), " is played at ", (cloud.url or "", Style.LINK), " on this machine.")
    if cloud.contents:
        page.table(("KIND", "NAME"), [(each.kind, each.name) for each in cloud.contents])
    else:
        page.line("It holds nothing. `mldeploy deploy -t TARGET --rehearse` brings an app there.")
