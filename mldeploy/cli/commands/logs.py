"""`mldeploy logs`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.errors import UsageError
from mldeploy.cli.results import no_page
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document


@dataclass(frozen=True)
class LogsDocument(Document):
    """`logs`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    lines: Annotated[tuple[str, ...], "oldest first"]


def logs(
    run: CommandRun,
    target: options.Target = options.DEFAULT_TARGET,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for new lines until Ctrl-C.")] = False,
    tail: Annotated[
        int, typer.Option("--tail", "-n", metavar="N", min=0, help="Number of lines to show; 0 = all.")
    ] = 100,
) -> None:
    """Print the app's log.

    Colors are kept on a terminal; other control characters are shown as escapes.

    Examples:
        mldeploy logs --follow
        mldeploy logs --target fargate --tail 20
    """
    from mldeploy.cli.deployment import as_runtime
    from mldeploy.cli.open_deployment import open_deployment
    from mldeploy.core.errors import ExitCode

    if follow and run.output.mode.json:
        raise UsageError("mldeploy logs", "--follow and --json cannot be combined", "Remove one of them.")
    deployment = open_deployment(run, target, as_runtime)
    lines = deployment.service.logs(follow=follow, tail=tail)
    if run.output.mode.json:
        document = LogsDocument(app=deployment.app, target=deployment.target, lines=tuple(lines))
        run.output.result(document, no_page)
        return
    try:
        run.output.write_lines(lines)
    except KeyboardInterrupt:  # the way to end `--follow`, so not an error
        raise typer.Exit(ExitCode.INTERRUPTED) from None
