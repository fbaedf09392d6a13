"""`deploy` and `run-local`."""

from __future__ import annotations

from mldeploy.cli import session, workplace
from mldeploy.cli.describe import image as describe
from mldeploy.cli.run import Run
from mldeploy.config.override import Override, Overrides
from mldeploy.core import verbs
from mldeploy.providers.base import Address
from mldeploy.providers.errors import PortTakenError, without_service
from mldeploy.ui.documents.deployment import DeployDocument
from mldeploy.ui.views import deployment as views


def deploy(run: Run, target: str, overrides: Overrides, *, replace: bool) -> None:
    """Walk to the target's last step. A taken port is asked about where there is somebody to ask."""
    deployment = session.complete(run, target, overrides)
    if deployment.goal is None:
        raise without_service(target)
    try:
        with deployment.locked(run) as work:
            told = workplace.sweeping(work, deployment.goal)
            done = verbs.deploy(deployment.goal, told, sweep=deployment.swept, replace=replace)
    except verbs.DeploymentFailedError as error:
        port = _other_port(run, error)
        if port is None:
            raise
        again = (*overrides, Override(f"target.{target}.port", port, "--port"))
        deploy(run, target, again, replace=replace)
        return
    document = described(deployment, done)
    run.output.result(
        document,
        lambda page: views.deployed(document, page, run.commands(deployment.target), terse=run.output.manner.quiet),
    )
    workplace.unless_stopped(run, work.cancel)


def described(deployment: session.Deployment[object], done: verbs.Deployed[Address]) -> DeployDocument:
    """The result as a document."""
    out = done.out
    return DeployDocument(
        deployment.app,
        deployment.target,
        out.url,
        describe.image(out.image),
        describe.steps(done.steps),
        out.remarks,
        out.gap_seconds,
        deployment.assumed,
    )


def _other_port(run: Run, error: verbs.DeploymentFailedError) -> int | None:
    """The free port that the user accepts instead of a taken one, if that is what was wrong."""
    if not run.output.is_dialogue:
        return None
    for _, failure in error.failures:
        if isinstance(failure, PortTakenError) and failure.free_port:
            question = f"Port {failure.port} is taken by {failure.owner}. Use {failure.free_port} instead?"
            return failure.free_port if run.output.confirmed(question, default=True) else None
    return None
