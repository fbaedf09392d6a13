"""`mldeploy apps`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.errors import UsageError
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import age

if TYPE_CHECKING:
    from mldeploy.cli.app_list import TargetApps


@dataclass(frozen=True)
class AppDocument:
    """One app on one target."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    environment: Annotated[str | None, "environment, as far as the name shows it; null without one"]
    url: Annotated[str | None, "URL; null while it does not run"] = None
    revision: Annotated[str | None, "serving release; null if none serves"] = None
    image: Annotated[str | None, "image of that release"] = None
    deployed: Annotated[str | None, "time of that release; ISO 8601, UTC"] = None
    monthly: Annotated[float | None, "US dollars per month, at least; null if unknown or not billed"] = None
    problem: Annotated[str, "why the app could not be read; empty otherwise"] = ""


@dataclass(frozen=True)
class UnlistedTargetDocument:
    """A target that could not be listed."""

    target: Annotated[str, "deployment target"]
    reason: Annotated[str, "why not, in a line"]


@dataclass(frozen=True)
class AppsDocument(Document):
    """`apps`."""

    apps: Annotated[tuple[AppDocument, ...], "by target and name"]
    targets: Annotated[tuple[str, ...], "targets that were listed"]
    unlisted: Annotated[tuple[UnlistedTargetDocument, ...], "targets that could not be listed"] = ()


def apps(
    run: CommandRun,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            "-t",
            metavar="NAME",
            help="Deployment target. Default: all.",
            show_default=False,
            autocompletion=options.completed_by("--target"),
        ),
    ] = None,
) -> None:
    """List the apps on a target, or on all targets, with URL, release, age and cost.

    Apps are recognized by the labels that mldeploy sets, whoever deployed them. The settings of a target are those of
    the folder. A target that cannot be listed is named, and does not fail the others. Registries run no apps.

    Examples:
        mldeploy apps
        mldeploy apps --target fargate --json
    """
    from mldeploy.cli.app_list import list_all_targets, list_target
    from mldeploy.project.load import require_folder

    if target is None and (run.rehearse or run.account("local")):
        flag = "--rehearse" if run.rehearse else run.account("local")[0].flag
        raise UsageError(flag, "needs a target", "Add --target NAME.")
    require_folder(run.folder)
    listed = (list_target(run, target),) if target else list_all_targets(run)
    document = _apps_document(listed)
    run.output.result(document, lambda page: _print_apps(document, page))


def _apps_document(listed: Sequence[TargetApps]) -> AppsDocument:
    return AppsDocument(
        apps=tuple(app for each in listed for app in each.apps),
        targets=tuple(each.target for each in listed if not each.problem),
        unlisted=tuple(
            UnlistedTargetDocument(target=each.target, reason=each.problem) for each in listed if each.problem
        ),
    )


def _print_apps(document: AppsDocument, page: Page) -> None:
    if document.apps:
        page.table(("APP", "TARGET", "URL", "RELEASE", "DEPLOYED", "PER MONTH"), list(map(_row, document.apps)))
    elif document.targets:
        page.line(f"There are no apps on {', '.join(document.targets)}.")
    for each in document.apps:
        if each.problem:
            page.line((f"{each.app} on {each.target}: {each.problem}", Style.WARN))
    for target in document.unlisted:
        page.line((f"{target.target}: {target.reason}", Style.DIM))


def _row(each: AppDocument) -> tuple[str, ...]:
    return (
        each.app,
        each.target,
        each.url or "",
        each.revision or "",
        age(each.deployed) if each.deployed else "",
        f"${each.monthly:.2f}" if each.monthly is not None else "",
    )
