"""`ps`, `logs`, `open` and `stop`: the service that runs."""

from __future__ import annotations

import os
import sys
import webbrowser

import typer

from mldeploy.cli import session, workplace
from mldeploy.cli.describe import service as describe
from mldeploy.cli.errors import UsageError
from mldeploy.cli.run import Run
from mldeploy.cli.session import Deployment
from mldeploy.core.errors import ExitCode
from mldeploy.providers.errors import AbsentError
from mldeploy.ui.documents.service import InstancesDocument, LogsDocument, OpenDocument, StopDocument
from mldeploy.ui.views import nothing
from mldeploy.ui.views import service as views


def ps(run: Run, target: str) -> None:
    """List the copies of the app."""
    deployment = session.known(run, target)
    instances = tuple(map(describe.instance, deployment.service.instances()))
    document = InstancesDocument(deployment.app, deployment.target, instances)
    run.output.result(document, lambda page: views.instances(document, page, run.commands(deployment.target)))


def logs(run: Run, target: str, *, follow: bool, tail: int) -> None:
    """Print log lines as they come."""
    if follow and run.output.manner.json:
        raise UsageError("mldeploy logs", "--follow never ends, and --json is one document", "Leave one of them out.")
    deployment = session.known(run, target)
    lines = deployment.service.logs(follow=follow, tail=tail)
    if run.output.manner.json:
        document = LogsDocument(deployment.app, deployment.target, tuple(lines))
        run.output.result(document, nothing)
        return
    try:
        run.output.lines(lines)
    except KeyboardInterrupt:  # the way to leave `--follow`: nothing went wrong
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def open_url(run: Run, target: str) -> None:
    """Print the address, and open it where a person sits before a screen."""
    deployment = session.known(run, target)
    url = address(deployment, run)
    opened = run.output.is_on_terminal and _has_screen() and webbrowser.open(url)
    document = OpenDocument(deployment.app, deployment.target, url, opened)
    run.output.result(document, lambda page: page.line(url))


def stop(run: Run, target: str) -> None:
    """Stop what runs; that nothing runs is no error."""
    deployment = session.known(run, target)
    with deployment.locked(run) as work:
        stopped = deployment.service.stop()
    document = StopDocument(deployment.app, deployment.target, stopped)
    run.output.result(document, lambda page: views.stopped(document, page, run.commands(deployment.target)))
    workplace.unless_stopped(run, work.cancel)


def address(deployment: Deployment[object], run: Run) -> str:
    """Where the app answers. Raises AbsentError while nothing runs."""
    url = deployment.service.url()
    if url is None:
        what = f"nothing runs on the target {deployment.target}"
        raise AbsentError(deployment.app, what, f"Start it: `{run.commands(deployment.target)('deploy')}`.")
    return url


def _has_screen() -> bool:
    """A browser in a window, rather than one that takes over the terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
