"""How a command opens an app on a target: for a change, to operate it, for requests, or to remove it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from mldeploy.cli.app_routes import recall_corrected
from mldeploy.cli.deployment import AppDeployment, as_runtime
from mldeploy.cli.log import listen
from mldeploy.cli.run import CommandRun
from mldeploy.cli.workspace import assumed_documents, describe_models, inspect_folder, load_project
from mldeploy.config import load as config
from mldeploy.config.access_keys import KEY
from mldeploy.config.chosen_port import apply_chosen_port, remember_port
from mldeploy.config.endpoints import PUBLIC
from mldeploy.config.override import Overrides
from mldeploy.config.paths import state_folder
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.journal import Scope
from mldeploy.project.errors import ProjectError
from mldeploy.project.load import require_folder
from mldeploy.providers import registry
from mldeploy.providers.access import require_access
from mldeploy.providers.capabilities import RendersOffline

if TYPE_CHECKING:
    from mldeploy.providers.registry import AnyProvider
    from mldeploy.rehearsal.standins import RunningStandIn


def as_it_is(provider: AnyProvider) -> AnyProvider:
    """Return any provider: the command works on every target."""
    return provider


def prepare_deployment(  # noqa: PLR0913 - the commands differ in these
    run: CommandRun,
    target: str,
    overrides: Overrides = (),
    *,
    require: Callable[[AnyProvider], object] = as_it_is,
    verbose: bool = True,
    may_build: bool = True,
    precheck: bool = False,
    may_stay_offline: bool = False,
) -> AppDeployment:
    """Open a deployment for a change: the folder is inspected and must be complete.

    require: what the command needs of the provider; a target without it is refused before anything is read or called.
    verbose: print assumptions and warnings. may_build: models without an app are inspected in a container. precheck:
    before that, raise what would keep the app from running on the target. may_stay_offline: do not connect to a target
    whose manifests need no connection.
    """
    provider = registry.find(target)
    require(provider)
    inspection = inspect_folder(run, overrides, verbose=verbose)
    require_access(provider, inspection.project)
    settings = _read_settings(run, provider, inspection.project, overrides)
    for advice in settings.advise(inspection.project) if verbose else ():
        run.output.warn(advice)
    is_open = inspection.project.app.access != KEY  # otherwise the keys are in the target's store
    offline = may_stay_offline and is_open and isinstance(provider, RendersOffline)
    deployment = _connect(run, provider, inspection.project, settings, offline=offline)
    if precheck:
        deployment.precheck()
    project = describe_models(run, inspection.project, may_build=may_build)
    known = replace(deployment, project=project, assumed=assumed_documents(inspection), written=inspection.written)
    return known.with_keys()


def open_deployment(run: CommandRun, target: str, require: Callable[[AnyProvider], object] = as_it_is) -> AppDeployment:
    """Open a deployment to operate it: only the configuration is read. require: as in `prepare_deployment`."""
    require(registry.find(target))
    return _open(run, target, load_project(run))


def open_for_requests(run: CommandRun, target: str) -> AppDeployment:
    """Open a deployment to send requests to it: routes that are not configured are detected in the source."""
    as_runtime(registry.find(target))
    require_folder(run.folder)
    return _open(run, target, _recall_models(recall_corrected(run.folder, run.selection))).with_keys()


def _recall_models(project: Project) -> Project:
    """Complete the models of an app without code from their last inspection, as far as their files are the same."""
    if all(each.is_described for each in project.served):
        return project
    from mldeploy.cli.model_description import recall_description  # noqa: PLC0415 - an app does not wait for it

    try:
        return recall_description(project)
    except ProjectError:  # a file is gone: the deployment is as it was
        return project


def open_by_name(run: CommandRun, target: str, app: str) -> AppDeployment:
    """Open a deployment to remove it: only the name of the app is known, and the folder may be missing."""
    provider = registry.find(target)
    project = config.named(app, "--app", run.selection)
    settings = config.target_settings(project.app.folder, provider.name, provider.settings, run.account(provider.name))
    return _connect(run, provider, project, settings)


def _open(run: CommandRun, target: str, project: Project) -> AppDeployment:
    provider = registry.find(target)
    return _connect(run, provider, project, _read_settings(run, provider, project))


def _read_settings(
    run: CommandRun, provider: registry.AnyProvider, project: Project, overrides: Overrides = ()
) -> TargetSettings:
    """Return the target's settings, with the port that was chosen for the deployment. Raises ConfigError."""
    target = provider.name
    chosen = (*overrides, *run.account(target), *run.selection)
    settings = config.target_settings(run.folder, target, provider.settings, chosen)
    return apply_chosen_port(project, target, settings, overrides)


def keep_chosen_port(run: CommandRun, deployment: AppDeployment, overrides: Overrides) -> None:
    """Keep the port that the command was given for a deployment that succeeded. Raises StateError."""
    target = deployment.target
    chosen = (*run.account(target), *run.selection)
    configured = config.target_settings(run.folder, target, deployment.provider.settings, chosen)
    remember_port(deployment.project, target, configured, overrides)


def _connect(
    run: CommandRun,
    provider: AnyProvider,
    project: Project,
    settings: TargetSettings,
    *,
    offline: bool = False,
) -> AppDeployment:
    listen(verbose=run.output.mode.verbose)
    stand_in = _start_stand_in(run, provider.name)
    endpoints, state = (stand_in.endpoints, stand_in.journals) if stand_in else (PUBLIC, state_folder())
    cloud: object = None if offline else provider.connect(project, settings, endpoints)
    scope = Scope(project.app.name, provider.name, () if offline else provider.place(cloud))
    return AppDeployment(project, cloud, scope, provider, settings, endpoints, state=state, stand_in=stand_in)


def _start_stand_in(run: CommandRun, target: str) -> RunningStandIn | None:
    """Start the simulator of the target with `--rehearse`; otherwise return None."""
    if not run.rehearse:
        return None
    from mldeploy.cli.stand_ins import start_for_target  # noqa: PLC0415 - only with `--rehearse`

    stand_in = start_for_target(target, state_folder())
    run.output.notice(f"using the local {stand_in.cloud} simulator at {stand_in.url}; nothing is sent or billed")
    return stand_in
