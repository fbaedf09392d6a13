"""`mldeploy exec`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.results import no_page
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document


@dataclass(frozen=True)
class ExecDocument(Document):
    """`exec`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    exit_status: Annotated[int, "exit status of the command, and of mldeploy"]
    stdout: Annotated[str, "standard output of the command"]
    stderr: Annotated[str, "standard error of the command"]


def execute(
    run: CommandRun,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND…", help="Command and its arguments.")],
    target: options.Target = options.DEFAULT_TARGET,
    instance: Annotated[
        str,
        typer.Option(
            "--instance",
            metavar="NAME",
            help="Instance, as listed by `ps`. Default: the first.",
            show_default=False,
            autocompletion=options.completed_by("--instance"),
        ),
    ] = "",
    stdin: Annotated[bool, typer.Option("--stdin", "-i", help="Pass standard input to the command.")] = False,
) -> None:
    """Run a command in an instance of the app and exit with its exit status.

    There is no terminal: interactive shells and editors do not work. On a terminal, control characters other than
    colors are shown as escapes; a pipe or a file gets the bytes as they are.

    Examples:
        mldeploy exec -- ls -l
        mldeploy exec --target kubernetes -- python --version
    """
    from functools import partial

    from mldeploy.cli.deployment import as_runtime
    from mldeploy.cli.open_deployment import open_deployment
    from mldeploy.providers.capabilities import CanExec, Streams
    from mldeploy.providers.errors import without_exec

    deployment = open_deployment(run, target, as_runtime)
    service = deployment.service
    if not isinstance(service, CanExec):
        raise without_exec(target)
    read = run.output.read_stdin if stdin else None
    out, err = bytearray(), bytearray()
    streams = Streams(out.extend, err.extend, read)
    if not run.output.mode.json:
        streams = Streams(run.output.write_bytes, partial(run.output.write_bytes, error=True), read)
    try:
        status = service.execute(command, instance, streams)
    finally:
        run.output.end_stdin()
        run.output.end_bytes()
    if not run.output.mode.json:
        raise typer.Exit(status)
    document = ExecDocument(
        app=deployment.app,
        target=deployment.target,
        exit_status=status,
        stdout=out.decode(errors="replace"),
        stderr=err.decode(errors="replace"),
    )
    run.output.result(document, no_page)
    raise typer.Exit(status)
