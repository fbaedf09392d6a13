"""`plan`."""

from __future__ import annotations

from mldeploy.cli import session, workplace
from mldeploy.cli.describe import deployment as describe
from mldeploy.cli.run import Run
from mldeploy.config.override import Overrides
from mldeploy.core import verbs
from mldeploy.ui.documents.deployment import PlanDocument
from mldeploy.ui.output import Shown
from mldeploy.ui.views import deployment as views


def plan(run: Run, target: str, overrides: Overrides) -> None:
    """Say what a deployment would do. Neither locks nor writes anything."""
    deployment = session.complete(run, target, overrides)
    with workplace.watched(run, Shown.LOOKING) as (events, cancel):
        planned = verbs.plan(
            deployment.last,
            deployment.cloud,
            cancel,
            begun=deployment.begun,
            sweep=deployment.swept,
            events=events,
        )
    changes = tuple(map(describe.change, planned.changes))
    costs = describe.estimate(deployment.costs()) if deployment.costs else None
    document = PlanDocument(deployment.app, deployment.target, planned.is_noop, changes, deployment.assumed, costs)
    run.output.result(document, lambda page: views.plan(document, page, deployment.verb))
