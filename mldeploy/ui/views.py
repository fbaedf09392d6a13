"""What each result looks like as text. The most wanted thing stands first, what to do next stands last."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mldeploy.ui import documents
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import age, counted, moment, size

Command = Callable[[str], str]
"""Words of a command → the line to type for this same project."""

REMARKABLE = 0.005
"""A layer smaller than this part of its image is not worth a line."""

STATES = {
    "present": Style.GOOD,
    "differs": Style.WARN,
    "foreign": Style.WARN,
    "absent": Style.DIM,
    "open": Style.DIM,
    "unknown": Style.BAD,
}
INTENTS = {
    "unchanged": Style.DIM,
    "create": Style.GOOD,
    "update": Style.WARN,
    "replace": Style.WARN,
    "remove": Style.BAD,
    "refuse": Style.BAD,
    "open": Style.DIM,
}


def deployed(document: documents.DeployDocument, page: Page, command: Command, *, terse: bool) -> None:
    """`deploy`. Terse: the URL alone, for a shell's `$(…)`."""
    if terse:
        page.line(document.url)
        return
    page.line()
    page.line((document.app, Style.STRONG), " answers at ", (document.url, Style.LINK))
    page.line()
    page.line("image  ", document.image.reference, (f"  {size(document.image.size)}", Style.DIM))
    for remark in document.remarks:
        page.line("note   ", remark)
    suffix = "" if document.target == "local" else f" --target {document.target}"
    page.line("ask    ", command(f"predict{suffix}"))
    page.line("watch  ", command(f"logs -f{suffix}"))
    page.line("remove ", command(f"destroy{suffix}"))


def built(document: documents.BuildDocument, page: Page, *, terse: bool) -> None:
    """`build`. Terse: the reference alone."""
    image = document.image
    if terse:
        page.line(image.reference)
        return
    page.line()
    page.line((image.reference, Style.STRONG), f"  {image.platform}  {size(image.size)}")
    page.line()
    page.table(("SIZE", "LAYER"), [(size(layer.size), layer.instruction) for layer in _layers(image)])


def _layers(image: documents.ImageDocument) -> list[documents.LayerDocument]:
    """Those that weigh something, the newest first, and what the others weigh together."""
    weighty = [layer for layer in image.layers if layer.size >= image.size * REMARKABLE]
    rest = [layer for layer in image.layers if layer.size and layer not in weighty]
    others = documents.LayerDocument(f"{counted(len(rest), 'small layer')}", sum(layer.size for layer in rest))
    return [*reversed(weighty), *([others] if rest else [])]


def nothing(_page: Page) -> None:
    """What is shown only as a document."""


def images(document: documents.ImagesDocument, page: Page, command: Command) -> None:
    """`images`."""
    for reference in document.removed:
        page.line("removed ", reference)
    if not document.images:
        page.line(f"No image of {document.app} is here. `{command('build')}` makes one.")
        return
    rows = [
        (each.reference, size(each.size), age(each.created), "in use" if each.in_use else "")
        for each in document.images
    ]
    page.table(("IMAGE", "SIZE", "CREATED", "USE"), rows)


def plan(document: documents.PlanDocument, page: Page) -> None:
    """`plan`."""
    if document.noop:
        page.line(f"{document.app} on {document.target} is as it should be: a deployment would change nothing.")
        return
    page.line((document.app, Style.STRONG), f" on {document.target}: a deployment would")
    width = max(len(_intent(change)) for change in document.changes)
    for change in document.changes:
        intent = _intent(change).ljust(width)
        page.line(
            "  ", (intent, INTENTS.get(change.intent, Style.DIM)), f"  {change.title}", (f"  {change.name}", Style.DIM)
        )
        for reason in change.reasons:
            page.line("  ", " " * width, (f"  {reason}", Style.DIM))


def _intent(change: documents.ChangeDocument) -> str:
    return {"unchanged": "keep", "open": "see to"}.get(change.intent, change.intent)


def status(document: documents.StatusDocument, page: Page, command: Command) -> None:
    """`status`."""
    if document.url:
        since = f"  since {moment(document.since)} ({age(document.since)})" if document.since else ""
        page.line((document.app, Style.STRONG), " answers at ", (document.url, Style.LINK), (since, Style.DIM))
    else:
        page.line((document.app, Style.STRONG), f" does not run on {document.target}. `{command('deploy')}` starts it.")
    page.line()
    width = max((len(step.state) for step in document.steps), default=0)
    for step in document.steps:
        state = (step.state.ljust(width), STATES.get(step.state, Style.DIM))
        page.line("  ", state, f"  {step.title}", (f"  {step.name}", Style.DIM))
        for remark in step.remarks:
            page.line("  ", " " * width, (f"  {remark}", Style.DIM))
    if document.instances:
        page.line()
        _instances(document.instances, page)


def instances(document: documents.InstancesDocument, page: Page, command: Command) -> None:
    """`ps`."""
    if document.instances:
        _instances(document.instances, page)
    else:
        page.line(f"Nothing of {document.app} is on {document.target}. `{command('deploy')}` brings it there.")


def _instances(found: Sequence[documents.InstanceDocument], page: Page) -> None:
    rows = [
        (
            each.name,
            each.state + (f" ({each.health})" if each.health else ""),
            each.url,
            age(each.started) if each.started else "",
            str(each.restarts),
            size(each.memory) if each.memory else "",
            each.image,
        )
        for each in found
    ]
    page.table(("NAME", "STATE", "URL", "STARTED", "RESTARTS", "MEMORY", "IMAGE"), rows)


def stopped(document: documents.StopDocument, page: Page, command: Command) -> None:
    """`stop`."""
    if document.stopped:
        page.line(f"{document.app} has stopped. `{command('deploy')}` starts it again.")
    else:
        page.line(f"{document.app} was not running.")


def destroyed(document: documents.DestroyDocument, page: Page) -> None:
    """`destroy`."""
    for each in document.removed:
        page.line("removed ", f"{each.kind} {each.name}")
    if document.removed:
        page.line(f"Nothing of {document.app} is left on {document.target}.")
    else:
        page.line(f"Nothing of {document.app} was there.")
