"""`mldeploy promote`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.errors import UsageError
from mldeploy.cli.results import STEPS, StepDocument, step_documents
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style

if TYPE_CHECKING:
    from mldeploy.image.types import Image


@dataclass(frozen=True)
class PromoteDocument(Document):
    """`promote`."""

    app: Annotated[str, "name of the app in the destination environment"]
    target: Annotated[str, "deployment target"]
    source: Annotated[str, "environment whose image is deployed"]
    environment: Annotated[str, "destination environment"]
    revision: Annotated[str, "release of the source environment"]
    url: Annotated[str, "URL of the app in the destination environment"]
    image: Annotated[Image, "deployed image; the digest is that of the source environment"]
    steps: Annotated[tuple[StepDocument, ...], STEPS]
    remarks: Annotated[tuple[str, ...], "notes on the deployment"]


def promote(
    run: CommandRun,
    source: Annotated[
        str,
        typer.Argument(
            metavar="FROM", help="Environment that runs the image.", autocompletion=options.completed_by("--env")
        ),
    ],
    to: Annotated[
        str,
        typer.Argument(metavar="TO", help="Environment to deploy it to.", autocompletion=options.completed_by("--env")),
    ],
    target: options.Target = options.DEFAULT_TARGET,
    replace_resources: options.Replace = False,
    confirm: options.Confirm = None,
    no_check: options.NoCheck = False,
) -> None:
    """Deploy the image that one environment runs to another environment, without a build.

    The image has the same digest in both. The other settings are those of the destination. As in a deployment, it gets
    traffic only after it is healthy and returns the golden row's answer.

    Both environments are on one target. Their accounts, regions and registries may differ. Environments that build
    different images are refused.

    Examples:
        mldeploy promote staging production
        mldeploy promote staging production --target fargate --confirm production
    """
    from mldeploy.cli.deployment_source import find_source, record_source
    from mldeploy.cli.promotion import open_promotion
    from mldeploy.cli.protection import confirm_first_deployment
    from mldeploy.cli.workspace import exit_if_interrupted, report_sweep
    from mldeploy.core import verbs

    if source == to:
        raise UsageError("mldeploy promote", f"{source} cannot be promoted to itself", "Name two environments.")
    promotion = open_promotion(run, source, to, target)
    deployment, goal = promotion.deployment, promotion.goal()
    gates = {} if no_check else deployment.gates(goal)
    deployment.precheck()
    confirm_first_deployment(run, deployment, confirm)
    with deployment.locked(run) as work:
        session = report_sweep(work, goal, gates)
        done = verbs.deploy(goal, session, gates=gates, sweep=deployment.swept, replace=replace_resources)
    record_source(deployment, done.out.image.reference, find_source(promotion.source, promotion.release))
    document = PromoteDocument(
        app=deployment.app,
        target=deployment.target,
        source=source,
        environment=to,
        revision=promotion.release.revision,
        url=done.out.url,
        image=done.out.image,
        steps=step_documents(done.steps),
        remarks=done.out.remarks,
    )
    command, terse = replace(run, environment=to).commands(target), run.output.mode.quiet
    run.output.result(document, lambda page: _print_promotion(document, page, command, terse=terse))
    exit_if_interrupted(run, work.cancel)


def _print_promotion(document: PromoteDocument, page: Page, command: Callable[[str], str], *, terse: bool) -> None:
    """Print the result. terse: only the URL."""
    if terse:
        page.line(document.url)
        return
    page.line()
    page.line((document.app, Style.STRONG), " is running at ", (document.url, Style.LINK))
    page.line()
    page.line("image    ", document.image.reference)
    page.line("from     ", f"{document.source}, release {document.revision}")
    page.line("env      ", document.environment)
    for remark in document.remarks:
        page.line("note     ", remark)
    page.line("undo     ", command("rollback"))
