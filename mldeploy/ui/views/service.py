"""How what runs looks: `status`, `ps`, `stop`."""

from __future__ import annotations

from collections.abc import Sequence

from mldeploy.ui.documents.service import InstanceDocument, InstancesDocument, StatusDocument, StopDocument
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import age, size
from mldeploy.ui.views import Command

STATES = {
    "present": Style.GOOD,
    "differs": Style.WARN,
    "foreign": Style.WARN,
    "absent": Style.DIM,
    "open": Style.DIM,
    "unknown": Style.BAD,
}


def status(document: StatusDocument, page: Page, command: Command, verb: str) -> None:
    """`status`. verb: the command that brings the app there: a registry has its image, but never runs it."""
    if document.url:
        since = f"  started {age(document.since)}" if document.since else ""
        page.line((document.app, Style.STRONG), " answers at ", (document.url, Style.LINK), (since, Style.DIM))
    elif verb == "deploy":
        page.line((document.app, Style.STRONG), f" does not run on {document.target}. `{command('deploy')}` starts it.")
    else:
        page.line((document.app, Style.STRONG), f" on {document.target}, to which `{command(verb)}` brings its image:")
    page.line()
    width = max((len(step.state) for step in document.steps), default=0)
    for step in document.steps:
        state = (step.state.ljust(width), STATES.get(step.state, Style.DIM))
        page.line("  ", state, f"  {step.title}", (f"  {step.name}", Style.DIM))
        for line in "\n".join(step.remarks).splitlines():
            page.line("  ", " " * width, (f"  {line}", Style.DIM))
    if document.instances:
        page.line()
        _instances(document.instances, page)


def instances(document: InstancesDocument, page: Page, command: Command) -> None:
    """`ps`."""
    if document.instances:
        _instances(document.instances, page)
    else:
        page.line(f"Nothing of {document.app} is on {document.target}. `{command('deploy')}` brings it there.")


def _instances(found: Sequence[InstanceDocument], page: Page) -> None:
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


def stopped(document: StopDocument, page: Page, command: Command) -> None:
    """`stop`."""
    if document.stopped:
        page.line(f"{document.app} has stopped. `{command('deploy')}` starts it again.")
    else:
        page.line(f"{document.app} was not running.")
