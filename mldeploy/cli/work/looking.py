"""`plan` and `status`: the walks that only look."""

from __future__ import annotations

from mldeploy.cli import describe, session
from mldeploy.cli.run import Run
from mldeploy.config.override import Overrides
from mldeploy.core import verbs
from mldeploy.core.errors import InterruptedByUser
from mldeploy.core.monitor import Cancel
from mldeploy.ui import views
from mldeploy.ui.documents import PlanDocument, StatusDocument
from mldeploy.ui.output import Shown


def plan(run: Run, target: str, overrides: Overrides) -> None:
    """Say what a deployment would do. Neither locks nor writes anything."""
    deployment = session.complete(run, target, overrides)
    with session.watched(run, Shown.LOOKING) as (events, cancel):
        planned = verbs.plan(
            deployment.goal,
            deployment.cloud,
            cancel,
            begun=deployment.begun,
            sweep=deployment.kinds,
            events=events,
        )
    _unless_stopped(cancel)
    changes = tuple(map(describe.change, planned.changes))
    document = PlanDocument(deployment.app, deployment.target, planned.is_noop, changes)
    run.output.result(document, lambda page: views.plan(document, page))


def status(run: Run, target: str) -> None:
    """Say what is there."""
    deployment = session.complete(run, target)
    with session.watched(run, Shown.LOOKING) as (events, cancel):
        looks = verbs.look(deployment.goal, deployment.cloud, cancel, events)
    _unless_stopped(cancel)
    url = deployment.service.url()
    instances = tuple(map(describe.instance, deployment.service.instances()))
    document = StatusDocument(
        deployment.app,
        deployment.target,
        url,
        next((each.started for each in instances if url), None),
        tuple(map(describe.found, looks)),
        instances,
    )
    run.output.result(document, lambda page: views.status(document, page, run.command))


def _unless_stopped(cancel: Cancel) -> None:
    if cancel.requested:
        raise InterruptedByUser("mldeploy", "stopped at your request; nothing was changed")
