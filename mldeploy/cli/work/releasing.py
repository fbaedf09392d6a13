"""`history`, `rollback` and `scale`: the versions of what runs, and how many copies of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from mldeploy.cli import session, workplace
from mldeploy.cli.describe import service as describe
from mldeploy.cli.run import Run
from mldeploy.core.events import Action, Failed, Finished, Started
from mldeploy.core.monitor import CancelledError, Monitor
from mldeploy.core.session import Session
from mldeploy.core.step import Key, Resource
from mldeploy.core.verbs.deploy import interrupted
from mldeploy.ui.documents.releases import HistoryDocument, RollbackDocument, ScaleDocument
from mldeploy.ui.views import releases as views


def history(run: Run, target: str) -> None:
    """List the releases. Neither locks nor writes anything."""
    deployment = session.known(run, target)
    releases = tuple(map(describe.release, deployment.service.releases()))
    document = HistoryDocument(deployment.app, deployment.target, releases)
    run.output.result(document, lambda page: views.history(document, page, run.commands(target)))


def rollback(run: Run, target: str, revision: str | None) -> None:
    """Bring an earlier release back, and say where it answers."""
    deployment = session.known(run, target)
    with deployment.locked(run) as work, _shown(work, deployment.app, "Roll back") as monitor:
        address = deployment.service.rollback(revision, monitor)
    document = RollbackDocument(deployment.app, deployment.target, address.url, address.image.reference)
    run.output.result(
        document, lambda page: views.rolled_back(document, page, run.commands(target), terse=run.output.manner.quiet)
    )
    workplace.unless_stopped(run, work.cancel)


def scale(run: Run, target: str, count: int) -> None:
    """Run so many copies."""
    deployment = session.known(run, target)
    with deployment.locked(run) as work, _shown(work, deployment.app, "Scale") as monitor:
        deployment.service.scale(count, monitor)
    document = ScaleDocument(deployment.app, deployment.target, count)
    run.output.result(document, lambda page: views.scaled(document, page))
    workplace.unless_stopped(run, work.cancel)


@contextmanager
def _shown(work: Session[object], app: str, title: str) -> Iterator[Monitor]:
    """One thing that is being done, shown as a step is. Raises InterruptedByUser after a stop."""
    resource, began = Resource("service", Key(app)), time.monotonic()
    work.events(Started(resource, title))
    try:
        yield work.monitor(resource)
    except Exception as error:
        work.events(Failed(resource, title, error, time.monotonic() - began))
        if isinstance(error, CancelledError):
            raise interrupted() from error
        raise
    work.events(Finished(resource, title, Action.UPDATED, time.monotonic() - began))
