"""`mldeploy history`, `mldeploy rollback` and `mldeploy scale`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.results import ENVIRONMENT
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import age, counted

if TYPE_CHECKING:
    from mldeploy.providers.base import Release, Service


@dataclass(frozen=True)
class HistoryDocument(Document):
    """`history`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    releases: Annotated[tuple[Release, ...], "newest first"]
    environment: Annotated[str | None, ENVIRONMENT] = None


@dataclass(frozen=True)
class RollbackDocument(Document):
    """`rollback`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    url: Annotated[str, "URL of the app"]
    image: Annotated[str, "running image"]


@dataclass(frozen=True)
class ScaleDocument(Document):
    """`scale`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    count: Annotated[int, "number of replicas"]


def history(run: CommandRun, target: options.Target = options.DEFAULT_TARGET) -> None:
    """List releases.

    Shows which release is serving and which ones failed. `rollback` takes a revision from this list.

    Examples:
        mldeploy history --target fargate
    """
    from mldeploy.cli.deployment import as_runtime
    from mldeploy.cli.deployment_source import with_sources
    from mldeploy.cli.open_deployment import open_deployment
    from mldeploy.config.seen_releases import record_releases

    deployment = open_deployment(run, target, as_runtime)
    releases = with_sources(deployment, deployment.service.releases())
    if not run.rehearse:
        record_releases(deployment.scope, [each.revision for each in releases])
    document = HistoryDocument(
        app=deployment.app, target=deployment.target, releases=releases, environment=deployment.environment
    )
    run.output.result(document, lambda page: _print_history(document, page, run.commands(target)))


def rollback(
    run: CommandRun,
    target: options.Target = options.DEFAULT_TARGET,
    revision: Annotated[
        str | None,
        typer.Argument(
            metavar="[REVISION]",
            help="Revision from `history`. Default: the previous one.",
            show_default=False,
            autocompletion=options.completed_by("REVISION"),
        ),
    ] = None,
) -> None:
    """Return to an earlier release without building. The next `deploy` replaces it.

    Examples:
        mldeploy rollback --target fargate
        mldeploy rollback 7 --target fargate
    """
    from mldeploy.cli.access import warn_if_open
    from mldeploy.cli.deployment import as_runtime
    from mldeploy.cli.open_deployment import open_deployment
    from mldeploy.cli.rollout.traffic import refuse_canary
    from mldeploy.cli.workspace import exit_if_interrupted, service_of, show_operation

    deployment = open_deployment(run, target, as_runtime).with_keys()
    _require(deployment.service, "rollback")
    refuse_canary(deployment)
    with deployment.locked(run) as work, show_operation(work, service_of(deployment.app), "Roll back") as monitor:
        address = deployment.service.rollback(revision, monitor)
    document = RollbackDocument(
        app=deployment.app, target=deployment.target, url=address.url, image=address.image.reference
    )
    warn_if_open(run, deployment)
    command, terse = run.commands(target), run.output.mode.quiet
    run.output.result(document, lambda page: _print_rollback(document, page, command, terse=terse))
    exit_if_interrupted(run, work.cancel)


def scale(
    run: CommandRun,
    count: Annotated[int, typer.Argument(metavar="N", min=1, help="Number of replicas.")],
    target: options.Target = options.DEFAULT_TARGET,
) -> None:
    """Set the number of replicas. Later deploys keep it unless the configuration overrides it.

    Examples:
        mldeploy scale 3 --target fargate
    """
    from mldeploy.cli.deployment import as_runtime
    from mldeploy.cli.open_deployment import open_deployment
    from mldeploy.cli.rollout.traffic import refuse_canary
    from mldeploy.cli.workspace import exit_if_interrupted, service_of, show_operation

    deployment = open_deployment(run, target, as_runtime).with_keys()
    _require(deployment.service, "scale")
    refuse_canary(deployment)
    with deployment.locked(run) as work, show_operation(work, service_of(deployment.app), "Scale") as monitor:
        deployment.service.scale(count, monitor)
    document = ScaleDocument(app=deployment.app, target=deployment.target, count=count)
    text = f"{document.app} runs on {document.target} with {counted(document.count, 'replica')}."
    run.output.result(document, lambda page: page.line(text))
    exit_if_interrupted(run, work.cancel)


def _require(service: Service, operation: str) -> None:
    """Raise the target's WrongTargetError if it does not support the operation."""
    from mldeploy.providers.capabilities import RefusesOperations

    if isinstance(service, RefusesOperations) and (error := service.refusals().get(operation)):
        raise error


def _print_history(document: HistoryDocument, page: Page, command: Callable[[str], str]) -> None:
    if not document.releases:
        page.line(f"{document.app} has not been deployed to {document.target}. Run `{command('deploy')}`.")
        return
    has_commits = any(release.commit for release in document.releases)
    rows = [
        (
            release.revision,
            release.state,
            age(release.created) if release.created else "",
            release.image,
            release.url,
            *((_commit(release), release.branch, release.deployed_by) if has_commits else ()),
        )
        for release in document.releases
    ]
    header = ("REVISION", "STATE", "CREATED", "IMAGE", "URL")
    page.table((*header, "COMMIT", "BRANCH", "DEPLOYED BY") if has_commits else header, rows)


def _commit(release: Release) -> str:
    return release.commit[:12] + ("-dirty" if release.dirty else "")


def _print_rollback(document: RollbackDocument, page: Page, command: Callable[[str], str], *, terse: bool) -> None:
    """Print the result. terse: only the URL."""
    if terse:
        page.line(document.url)
        return
    page.line((document.app, Style.STRONG), " is running at ", (document.url, Style.LINK))
    page.line("image  ", document.image)
    page.line(f"Run `{command('deploy')}` to deploy the current files again.")
