"""`login` and `push`: the target's registry."""

from __future__ import annotations

from mldeploy.cli import session, workplace
from mldeploy.cli.describe import image as describe
from mldeploy.cli.run import Run
from mldeploy.config.override import Overrides
from mldeploy.core import verbs
from mldeploy.image.registry.docker_config import store
from mldeploy.providers.errors import without_registry
from mldeploy.ui.documents.image import LoginDocument, PushDocument
from mldeploy.ui.views import image as views


def login(run: Run, target: str, *, docker_config: bool) -> None:
    """Prove the credentials. Only `--docker-config` leaves anything on this machine."""
    known = session.known(run, target)
    proved = known.login()
    stored = store(proved.registry) if docker_config else None
    registry = proved.registry
    document = LoginDocument(target, proved.user, proved.place, registry.address, registry.expires, stored)
    run.output.result(document, lambda page: views.logged_in(document, page, run.commands(target)))


def push(run: Run, target: str, overrides: Overrides, *, replace: bool) -> None:
    """Walk as far as the image in the registry. What stands on it is neither looked at nor swept."""
    deployment = session.complete(run, target, overrides)
    if deployment.push is None:
        raise without_registry(target)
    sweep = deployment.swept if deployment.goal is None else None
    with deployment.locked(run) as work:
        done = verbs.deploy(deployment.push, workplace.sweeping(work, deployment.push), sweep=sweep, replace=replace)
    document = PushDocument(
        deployment.app, deployment.target, describe.image(done.out), describe.steps(done.steps), deployment.assumed
    )
    run.output.result(
        document, lambda page: views.pushed(document, page, run.commands(target), terse=run.output.manner.quiet)
    )
    workplace.unless_stopped(run, work.cancel)
