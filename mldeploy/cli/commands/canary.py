"""`mldeploy canary`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.rollout.canary_documents import CanaryState
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style

if TYPE_CHECKING:
    from mldeploy.cli.deployment import AppDeployment


class CanaryAction(StrEnum):
    """What to do with a canary."""

    STATUS = "status"
    PROMOTE = "promote"
    ABORT = "abort"


@dataclass(frozen=True)
class CanaryDocument(Document):
    """`canary`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    action: Annotated[str, "`none`, `promoted` or `aborted`: what this command changed"]
    url: Annotated[str | None, "URL of the app; null while it does not run"]
    canary: Annotated[CanaryState | None, "the canary that stands now; null if none does"]


def canary(
    run: CommandRun,
    action: Annotated[
        CanaryAction,
        typer.Argument(metavar="ACTION", help="status, promote or abort: show, keep or remove the new version."),
    ],
    target: options.Target = options.DEFAULT_TARGET,
) -> None:
    """Show, promote or abort the canary: the new version beside the serving one.

    `promote` gives it all requests; the version before it is kept for `rollback`. `abort` removes it. Both work from
    any machine, also after an interrupted `mldeploy deploy --canary`, and may be repeated.

    Examples:
        mldeploy canary status
        mldeploy canary promote
        mldeploy canary abort
    """
    from mldeploy.cli.open_deployment import open_deployment
    from mldeploy.cli.rollout.traffic import as_splitting

    deployment = open_deployment(run, target, as_splitting).with_keys()
    if action is CanaryAction.STATUS:
        _report(run, deployment, "none", deployment.service.url())
    elif action is CanaryAction.PROMOTE:
        _promote(run, deployment)
    else:
        _abort(run, deployment)


def _promote(run: CommandRun, deployment: AppDeployment) -> None:
    from mldeploy.cli.rollout.traffic import open_traffic
    from mldeploy.cli.workspace import exit_if_interrupted, service_of, show_operation

    with (
        deployment.locked(run) as work,
        show_operation(work, service_of(deployment.app), "Promote the canary") as monitor,
    ):
        address = open_traffic(deployment).promote(monitor)
    _report(run, deployment, "promoted", address.url)
    exit_if_interrupted(run, work.cancel)


def _abort(run: CommandRun, deployment: AppDeployment) -> None:
    from mldeploy.cli.rollout.traffic import open_traffic
    from mldeploy.cli.workspace import exit_if_interrupted, service_of, show_operation

    with (
        deployment.locked(run) as work,
        show_operation(work, service_of(deployment.app), "Abort the canary") as monitor,
    ):
        was_there = open_traffic(deployment).abort(monitor)
    _report(run, deployment, "aborted" if was_there else "none", deployment.service.url())
    exit_if_interrupted(run, work.cancel)


def _report(run: CommandRun, deployment: AppDeployment, action: str, url: str | None) -> None:
    from mldeploy.cli.rollout.traffic import read_split

    state = CanaryState.of(read_split(deployment))
    document = CanaryDocument(deployment.app, deployment.target, action=action, url=url, canary=state)
    command = run.commands(deployment.target)
    run.output.result(document, lambda page: _print_canary(document, page, command))


def _print_canary(document: CanaryDocument, page: Page, command: Callable[[str], str]) -> None:
    app = (document.app, Style.STRONG)
    if document.canary:
        page.line("canary   ", str(document.canary))
        page.line("promote  ", command("canary promote"))
        page.line("abort    ", command("canary abort"))
    elif document.action == "promoted":
        page.line(app, ": the canary serves all requests at ", (document.url or "", Style.LINK))
        page.line("undo     ", command("rollback"))
    elif document.action == "aborted":
        page.line(app, ": the canary was removed; the version before it serves all requests.")
    else:
        page.line(app, f" has no canary on {document.target}. Run `{command('deploy --canary 10')}` to start one.")
