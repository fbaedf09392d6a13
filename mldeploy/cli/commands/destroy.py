"""`mldeploy stop` and `mldeploy destroy`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.errors import UsageError
from mldeploy.cli.results import ENVIRONMENT
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page

if TYPE_CHECKING:
    from mldeploy.cli.deployment import AppDeployment
    from mldeploy.core.step import Resource


@dataclass(frozen=True)
class StopDocument(Document):
    """`stop`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    stopped: Annotated[bool, "the app was running"]


@dataclass(frozen=True)
class ResourceDocument:
    """One resource."""

    kind: Annotated[str, "kind of resource; stable"]
    name: Annotated[str, "name of the resource"]


@dataclass(frozen=True)
class DestroyDocument(Document):
    """`destroy`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    removed: Annotated[tuple[ResourceDocument, ...], "resources that were removed now"]
    environment: Annotated[str | None, ENVIRONMENT] = None


def stop(run: CommandRun, target: options.Target = options.DEFAULT_TARGET) -> None:
    """Stop the app without removing anything. `deploy` starts it again.

    Examples:
        mldeploy stop
        mldeploy stop --target fargate
    """
    from mldeploy.cli.deployment import as_runtime
    from mldeploy.cli.open_deployment import open_deployment
    from mldeploy.cli.workspace import exit_if_interrupted

    deployment = open_deployment(run, target, as_runtime)
    with deployment.locked(run) as work:
        stopped = deployment.service.stop()
    document = StopDocument(app=deployment.app, target=deployment.target, stopped=stopped)
    start = run.commands(target)("deploy")
    text = f"stopped. Run `{start}` to start it again." if stopped else "is not running."
    run.output.result(document, lambda page: page.line(f"{document.app} {text}"))
    exit_if_interrupted(run, work.cancel)


def destroy(
    run: CommandRun,
    target: options.Target = options.DEFAULT_TARGET,
    app: Annotated[
        str | None,
        typer.Option(
            "--app",
            metavar="NAME",
            help="App to remove. Default: the one in the folder.",
            show_default=False,
            autocompletion=options.completed_by("--app"),
        ),
    ] = None,
    keep_images: Annotated[bool, typer.Option("--keep-images", help="Keep the app's images and repository.")] = False,
    yes: options.Yes = False,
    confirm: options.Confirm = None,
) -> None:
    """Remove everything that mldeploy created for the app on the target, and verify that it is gone.

    Lists the resources and asks for confirmation. Resources that mldeploy did not create are never removed.

    A protected environment needs its name, typed or with `--confirm`; `--yes` is not enough.

    Examples:
        mldeploy destroy
        mldeploy destroy --target fargate --yes
        mldeploy destroy --app insurance --keep-images
    """
    from dataclasses import replace

    from mldeploy.cli.workspace import exit_if_interrupted
    from mldeploy.config.chosen_port import forget_port
    from mldeploy.config.deployment_records import forget_deployments
    from mldeploy.config.seen_releases import forget_releases
    from mldeploy.core import verbs
    from mldeploy.core.graph import steps_of
    from mldeploy.core.scratch import sweep
    from mldeploy.ui.plain import as_removal_events

    deployment = _open_for_removal(run, target, app)
    kept_kinds = _image_kinds(deployment) if keep_images else frozenset()
    doomed = [resource for resource in _list_removable(deployment) if resource.kind not in kept_kinds]
    if doomed:
        _confirm_removal(run, deployment, doomed, confirm, yes=yes)
    named = [step.resource for step in steps_of(deployment.last, deployment.gates(deployment.last))]
    sweep()
    with deployment.locked(run) as work:
        session = replace(work, events=as_removal_events(work.events, doomed))
        removed = verbs.destroy(
            deployment.kinds, session, named=named, inventory=deployment.inventory, keep=kept_kinds
        ).removed
    forget_port(deployment.app, deployment.target)
    forget_deployments(deployment.state, deployment.scope)
    if not run.rehearse:
        forget_releases(deployment.scope)
    document = DestroyDocument(
        app=deployment.app,
        target=deployment.target,
        removed=tuple(ResourceDocument(kind=each.kind, name=each.key.name) for each in removed),
        environment=deployment.environment,
    )
    run.output.result(document, lambda page: _print_removal(document, page))
    exit_if_interrupted(run, work.cancel)


def _open_for_removal(run: CommandRun, target: str, app: str | None) -> AppDeployment:
    from mldeploy.cli.open_deployment import open_by_name, open_deployment
    from mldeploy.config.errors import ConfigError

    if app is not None:
        return open_by_name(run, target, app)
    try:
        return open_deployment(run, target)
    except ConfigError as error:
        todo = f"{error.todo}\nOr name the app to remove: `mldeploy destroy --app NAME`.".lstrip()
        raise ConfigError(error.where, error.what, todo) from error


def _list_removable(deployment: AppDeployment) -> list[Resource]:
    """List the resources to remove. Shared ones are in the journal, too, but are kept."""
    resources = dict.fromkeys((*deployment.journaled, *deployment.inventory()))
    kept_kinds = {kind for kind, step in deployment.kinds.items() if step.stays}
    return [resource for resource in resources if resource.kind not in kept_kinds]


def _image_kinds(deployment: AppDeployment) -> frozenset[str]:
    """Return the kinds of images and of the repositories that hold them."""
    from mldeploy.image.registry.steps import PushedImage, RepositoryStep
    from mldeploy.image.steps import BuiltImage

    kinds = deployment.kinds.items()
    return frozenset(kind for kind, step in kinds if issubclass(step, BuiltImage | PushedImage | RepositoryStep))


def _confirm_removal(
    run: CommandRun, deployment: AppDeployment, doomed: list[Resource], confirmed: str | None, *, yes: bool
) -> None:
    """Ask for confirmation. Raises UsageError if it is denied, or if nobody can answer."""
    from mldeploy.cli.protection import confirm_protected_removal

    facts = (f"This removes {deployment.app} from {deployment.target}:", *(f"  {resource}" for resource in doomed))
    if confirm_protected_removal(run, deployment, confirmed, facts) or yes:
        return
    if not run.output.is_interactive:
        what = f"removing {deployment.app} from {deployment.target} needs a confirmation"
        raise UsageError("mldeploy destroy", what, "Use --yes to confirm.")
    if not run.output.confirm("Remove these resources?", default=False, facts=facts):
        raise UsageError("mldeploy destroy", "canceled; nothing was removed", "")


def _print_removal(document: DestroyDocument, page: Page) -> None:
    for resource in document.removed:
        page.line("removed ", f"{resource.kind} {resource.name}")
    if document.removed:
        page.line(f"{document.app} is removed from {document.target}.")
    else:
        page.line(f"{document.app} is not deployed to {document.target}. Nothing to remove.")
