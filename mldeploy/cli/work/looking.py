"""`status`."""

from __future__ import annotations

from mldeploy.cli import session, workplace
from mldeploy.cli.describe import service as describe
from mldeploy.cli.run import Run
from mldeploy.core import verbs
from mldeploy.ui.documents.service import StatusDocument
from mldeploy.ui.output import Shown
from mldeploy.ui.views import service as views


def status(run: Run, target: str) -> None:
    """Say what is there. Neither locks nor writes anything."""
    deployment = session.complete(run, target, aloud=False)
    with workplace.watched(run, Shown.LOOKING) as (events, cancel):
        looks = verbs.look(deployment.last, deployment.cloud, cancel, events)
    service = deployment.service if deployment.goal else None
    url = service.url() if service else None
    instances = tuple(map(describe.instance, service.instances())) if service else ()
    document = StatusDocument(
        deployment.app,
        deployment.target,
        url,
        next((each.started for each in instances if url), None),
        tuple(map(describe.found, looks)),
        instances,
    )
    run.output.result(
        document, lambda page: views.status(document, page, run.commands(deployment.target), deployment.verb)
    )
