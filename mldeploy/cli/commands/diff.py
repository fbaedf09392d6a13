"""`mldeploy diff`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.rollout.canary_documents import AgreementDocument, print_worst
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mldeploy.app.agreement import Agreement
    from mldeploy.cli.deployment import AppDeployment
    from mldeploy.cli.rollout.compared_version import ComparedVersion


@dataclass(frozen=True)
class DiffDocument(Document):
    """`diff`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    old: Annotated[str, "first version: `revision 7`"]
    new: Annotated[str, "second version: `revision 8`, or `working folder`"]
    agreement: Annotated[AgreementDocument, "how far their answers agree"]


def diff(
    run: CommandRun,
    target: options.Target = options.DEFAULT_TARGET,
    revision: Annotated[
        str | None,
        typer.Argument(
            metavar="[REVISION]",
            help="Release from `history`. Default: the serving one.",
            show_default=False,
            autocompletion=options.completed_by("REVISION"),
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[REVISION]",
            help="Release to compare it with. Default: the working folder.",
            show_default=False,
            autocompletion=options.completed_by("REVISION"),
        ),
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(
            "--sample",
            metavar="FILE",
            help="CSV file of rows to send. Default: the sample of the model, or the golden row.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Compare the predictions of two versions of the app, row by row.

    Sends the same rows to both, at most 200 of the sample, and shows the rows whose answers differ most. Numbers may
    differ by `rollout.tolerance`. A release that does not run on the target, and the working folder, are run on this
    machine meanwhile, with the current environment. Nothing is deployed.

    Exit code 1 if fewer rows agree than `rollout.min_agreement` requires.

    Examples:
        mldeploy diff
        mldeploy diff --sample rows.csv --target fargate
        mldeploy diff 7 8 --target kubernetes
    """
    from mldeploy.cli.deployment import as_runtime
    from mldeploy.cli.errors import UsageError
    from mldeploy.cli.open_deployment import prepare_deployment
    from mldeploy.core.errors import ExitCode

    deployment = prepare_deployment(run, target, require=as_runtime)
    revisions = [each for each in (revision, other) if each is not None]
    deployment, versions, agreement = _compare(run, deployment, revisions, sample)
    if agreement is None:
        raise UsageError("mldeploy diff", "there are no rows to send", "Use --sample with a CSV file of rows.")
    shown = AgreementDocument.of(agreement)
    assert shown is not None  # noqa: S101
    document = DiffDocument(
        app=deployment.app, target=deployment.target, old=versions[0].label, new=versions[1].label, agreement=shown
    )
    run.output.result(document, lambda page: _print_diff(document, page))
    if agreement.share < deployment.project.rollout.min_agreement:
        raise typer.Exit(ExitCode.FAILED)


def _compare(
    run: CommandRun, deployment: AppDeployment, revisions: Sequence[str], sample: str | None
) -> tuple[AppDeployment, list[ComparedVersion], Agreement | None]:
    """Build the folder if it is one of the versions, and compare. None without rows."""
    from dataclasses import replace

    from mldeploy.app.agreement import compare_versions
    from mldeploy.cli.app_routes import settle_routes
    from mldeploy.cli.rollout.compared_version import FOLDER, ComparedVersion, find_releases, reach_versions
    from mldeploy.cli.rollout.traffic import read_sample
    from mldeploy.cli.workspace import connect_engine, service_of, show_operation
    from mldeploy.config.access_keys import key_headers
    from mldeploy.core import verbs
    from mldeploy.core.events import Action
    from mldeploy.image.steps import BuiltImage

    versions = find_releases(deployment, revisions)
    here = replace(connect_engine(run, deployment.project), assumed=deployment.assumed, written=deployment.written)
    with here.locked(run) as work:
        here, _ = settle_routes(run, here, BuiltImage.of(here.project), work)
        deployment = replace(deployment, project=here.project)
        requests = read_sample(here.project, sample)
        if not requests:
            return deployment, versions, None
        if len(versions) < 2:
            image = verbs.deploy(BuiltImage.of(here.project), work).out
            versions.append(ComparedVersion(FOLDER, image.reference))
        with (
            show_operation(work, service_of(here.app), "Compare both versions", lambda: Action.UNCHANGED) as monitor,
            reach_versions(deployment, here.cloud.engine, versions, monitor) as (old, new),
        ):
            tolerance = here.project.rollout.tolerance
            return (
                deployment,
                versions,
                compare_versions(
                    requests, (old, new), tolerance, monitor, deployment.ca_bundle, key_headers(here.project.app)
                ),
            )


def _print_diff(document: DiffDocument, page: Page) -> None:
    page.line(f"{document.old} and {document.new}: {document.agreement.summary}")
    print_worst(document.agreement, page)
