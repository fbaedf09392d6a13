"""How a deployment looks: `deploy`, `plan`, `destroy`."""

from __future__ import annotations

from mldeploy.ui.documents.deployment import (
    ChangeDocument,
    CostDocument,
    DeployDocument,
    DestroyDocument,
    EstimateDocument,
    PlanDocument,
)
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import size
from mldeploy.ui.views import Command
from mldeploy.ui.views.image import layers

PARTS = 4
"""More layers than this belong into a table (`build`)."""
INTENTS = {
    "unchanged": Style.DIM,
    "create": Style.GOOD,
    "update": Style.WARN,
    "replace": Style.WARN,
    "remove": Style.BAD,
    "refuse": Style.BAD,
    "open": Style.DIM,
}


def deployed(document: DeployDocument, page: Page, command: Command, *, terse: bool) -> None:
    """`deploy`. Terse: the URL alone, for a shell's `$(…)`."""
    if terse:
        page.line(document.url)
        return
    page.line()
    page.line((document.app, Style.STRONG), " answers at ", (document.url, Style.LINK))
    page.line()
    page.line("image  ", document.image.reference, (f"  {size(document.image.size)}", Style.DIM))
    if any(step.kind == "image" and step.action == "created" for step in document.steps):
        parts = (f"{layer.instruction} {size(layer.size)}" for layer in layers(document.image)[:PARTS])
        page.line("       ", (" · ".join(parts), Style.DIM))
    for remark in document.remarks:
        page.line("note   ", remark)
    page.line("ask    ", command("predict"))
    page.line("watch  ", command("logs -f"))
    page.line("remove ", command("destroy"))


def plan(document: PlanDocument, page: Page, verb: str) -> None:
    """`plan`. verb: the command that would do it."""
    if document.noop:
        page.line(f"{document.app} on {document.target} is as it should be: `{verb}` would change nothing.")
    else:
        _changes(document, page, verb)
    if document.costs:
        _costs(document.costs, page)


def _costs(estimate: EstimateDocument, page: Page) -> None:
    page.line()
    page.line("It costs at least ", (f"${estimate.known:.2f} a month", Style.STRONG), f" in {estimate.region}.")
    rows = [
        (f"${each.monthly:.2f}" if each.monthly is not None else "unknown", each.what, each.how, _read(each))
        for each in estimate.items
    ]
    page.table(("A MONTH", "FOR", "HOW", "PRICE FROM"), rows)


def _read(cost: CostDocument) -> str:
    return f"{cost.source} ({cost.date})" if cost.source else ""


def _changes(document: PlanDocument, page: Page, verb: str) -> None:
    page.line((document.app, Style.STRONG), f" on {document.target}: `{verb}` would")
    width = max(len(_intent(change)) for change in document.changes)
    for change in document.changes:
        intent = _intent(change).ljust(width)
        page.line(
            "  ", (intent, INTENTS.get(change.intent, Style.DIM)), f"  {change.title}", (f"  {change.name}", Style.DIM)
        )
        for reason in change.reasons:
            page.line("  ", " " * width, (f"  {reason}", Style.DIM))


def _intent(change: ChangeDocument) -> str:
    return {"unchanged": "keep", "open": "later"}.get(change.intent, change.intent)


def destroyed(document: DestroyDocument, page: Page) -> None:
    """`destroy`."""
    for each in document.removed:
        page.line("removed ", f"{each.kind} {each.name}")
    if document.removed:
        page.line(f"Nothing of {document.app} is left on {document.target}.")
    else:
        page.line(f"Nothing of {document.app} was there.")
