"""`exec`: a command in a copy of the app."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import typer

from mldeploy.cli import session
from mldeploy.cli.run import Run
from mldeploy.providers.errors import without_exec
from mldeploy.providers.executing import CanExec, Streams
from mldeploy.ui.documents.service import ExecDocument
from mldeploy.ui.views import nothing


def execute(run: Run, target: str, command: Sequence[str], instance: str, *, stdin: bool) -> None:
    """Run it, pass on what it writes, and end with its exit status."""
    deployment = session.known(run, target)
    service = deployment.service
    if not isinstance(service, CanExec):
        raise without_exec(target)
    read = run.output.typed if stdin else None
    if not run.output.manner.json:
        told = Streams(run.output.passed_on, partial(run.output.passed_on, error=True), read)
        raise typer.Exit(service.execute(command, instance, told))
    out, err = bytearray(), bytearray()
    status = service.execute(command, instance, Streams(out.extend, err.extend, read))
    texts = (bytes(each).decode(errors="replace") for each in (out, err))
    run.output.result(ExecDocument(deployment.app, deployment.target, status, *texts), nothing)
    raise typer.Exit(status)
