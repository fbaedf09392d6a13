"""Who may send requests to a deployed app: the modes that a target offers, and the access keys in its secret store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mldeploy.cli.app_routes import recall_settled, settle_routes
from mldeploy.cli.deployment import AppDeployment, as_runtime
from mldeploy.cli.open_deployment import prepare_deployment
from mldeploy.cli.run import CommandRun
from mldeploy.cli.workspace import report_sweep, show_operation, show_walk
from mldeploy.config.access_keys import FIRST, KEY, STORED, AccessKey, dump_keys, with_keys
from mldeploy.core import verbs
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Action
from mldeploy.core.graph import steps_of
from mldeploy.core.verbs import Intent
from mldeploy.image.steps import BuiltImage
from mldeploy.providers.secret_store import CreatesSecretHost, store_secret
from mldeploy.ui.output import ProgressDetail

if TYPE_CHECKING:
    from mldeploy.core.journal import Session


def ensure_keys(deployment: AppDeployment, work: Session[object]) -> AppDeployment:
    """Return the deployment with its keys. The first key is created if there is none. May be repeated.

    Raises as `AppDeployment.read_keys` does, and InterruptedByUser.
    """
    if deployment.project.app.access != KEY:
        return deployment
    keys = deployment.read_keys()
    if not keys:
        if isinstance(deployment.provider, CreatesSecretHost):
            verbs.deploy(deployment.provider.secret_host(deployment.project, deployment.settings), work)
        keys = (AccessKey.make(FIRST),)
        store_keys(deployment, work, keys, "Create the first access key", Action.CREATED)
    return replace(deployment, project=with_keys(deployment.project, keys))


def store_keys(
    deployment: AppDeployment, work: Session[object], keys: Sequence[AccessKey], title: str, action: Action
) -> None:
    """Replace the keys in the store. What this may create is in the journal before."""
    store = deployment.secrets
    with show_operation(work, store.resources(STORED)[-1], title, lambda: action) as monitor:
        store_secret(store, work, STORED, dump_keys(keys), monitor)


def require_unchanged(run: CommandRun, target: str) -> None:
    """Raise RefusedError if a deployment would bring more than other keys: then the image would be another one.

    Changes nothing. Raises what `plan` raises.
    """
    deployment = prepare_deployment(run, target, verbose=False, may_build=False)
    with show_walk(run, ProgressDetail.PROBES) as (events, cancel):
        deployment = recall_settled(run, deployment, deployment.last, deployment.cloud, cancel)
        planned = verbs.plan(
            deployment.last,
            deployment.cloud,
            cancel,
            gates=deployment.gates(deployment.last),
            begun=deployment.journaled,
            sweep=deployment.swept,
            events=events,
        )
    image = deployment.push or next(step for step in steps_of(deployment.last) if isinstance(step, BuiltImage))
    changes = [each for each in planned.changes if each.resource == image.resource]
    if any(each.intent is not Intent.UNCHANGED for each in changes):
        what = "the folder is not what runs on the target, so a deployment would bring a new image, too"
        todo = "Deploy first. With --no-deploy, only the store changes, and the next deployment brings both."
        raise RefusedError(deployment.app, what, todo)


def redeploy_unchanged(run: CommandRun, target: str) -> None:
    """Deploy a new version with the same image and the keys in the store. Raises what `deploy` raises."""
    deployment = prepare_deployment(run, target, require=as_runtime, verbose=False, precheck=True)
    with deployment.locked(run) as work:
        deployment, _ = settle_routes(run, deployment, deployment.require_goal(), work)
        goal = deployment.require_goal()
        gates = deployment.require_gates(goal, check=True)
        verbs.deploy(goal, report_sweep(work, goal, gates), gates=gates, sweep=deployment.swept)


def warn_if_open(run: CommandRun, deployment: AppDeployment) -> None:
    """Warn if an app that should require a key answers without one: an earlier release has the access of its time."""
    from mldeploy.app.client import AnswerError, AppClient  # noqa: PLC0415 - only after a rollback
    from mldeploy.cli.commands.predict import reach  # noqa: PLC0415

    app = deployment.project.app
    if app.access != KEY:
        return
    try:
        with reach(deployment, run) as url, AppClient(url, deployment.ca_bundle) as client:
            client.predict(app.predict, {})
    except AnswerError as error:
        if error.status in (0, 401, 503):  # 0: it does not answer at all
            return
    run.output.warn("this release answers without an access key. Run `mldeploy deploy` to require one again.")


def describe_access(deployment: AppDeployment) -> str:
    """Return the line that says who may send requests; "" for a registry."""
    if deployment.goal is None:
        return ""
    access = deployment.project.app.access
    if access == KEY:
        what = "created by the first deployment" if deployment.project.app.own_key is None else "`mldeploy keys list`"
        return f'a key is required for everything but {deployment.project.app.health} (access = "key"; {what})'
    if access == "iam":
        return 'only those whom the platform authenticates (access = "iam")'
    if not deployment.settings.is_open(deployment.project):
        return f"only those whom the platform authenticates ([target.{deployment.target}])"
    return 'everybody who can reach the URL (access = "public" in [app])'
