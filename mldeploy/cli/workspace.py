"""The project, the connection and the journal that a command works with, and the steps that all commands share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

import typer

from mldeploy.cli.interrupt import stoppable
from mldeploy.cli.log import listen
from mldeploy.cli.options import DEFAULT_TARGET
from mldeploy.cli.results import AssumedDocument
from mldeploy.cli.run import CommandRun
from mldeploy.config import load as config
from mldeploy.config.environments import environment_override
from mldeploy.config.override import Overrides
from mldeploy.config.paths import state_folder
from mldeploy.config.settings import Project
from mldeploy.config.sources import OWN_FILE
from mldeploy.core.errors import ExitCode, MldeployError, RefusedError
from mldeploy.core.events import Action, Event, Events, Failed, Finished, Progressed, Started
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Journal, Scope, Session, read
from mldeploy.core.monitor import Cancel, CancelledError, Monitor
from mldeploy.core.origin import NO_FOLDER, AppOrigin, find_origin, forget_origin, read_origin, record_origin
from mldeploy.core.step import Gates, Key, Resource, Step
from mldeploy.core.verbs.deploy import interrupted
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.engine import Engine
from mldeploy.project import load
from mldeploy.project.load import CheckedProject, require_folder
from mldeploy.ui.output import ProgressDetail
from mldeploy.ui.plain import as_sweep_events

CloudT = TypeVar("CloudT")


@dataclass(frozen=True)
class Workspace(Generic[CloudT]):
    """A project, connected clients, and the journal of the app.

    assumed: settings that are not configured and were detected in the folder. written: the keys of [app] that are
    configured. state: the folder of the journal.
    """

    project: Project
    cloud: CloudT
    scope: Scope
    assumed: tuple[AssumedDocument, ...] = field(default=(), kw_only=True)
    written: frozenset[str] = field(default=frozenset(), kw_only=True)
    state: Path = field(default_factory=state_folder, kw_only=True)

    @property
    def app(self) -> str:
        return self.project.app.name

    @property
    def environment(self) -> str | None:
        return self.project.app.environment_name

    @property
    def journaled(self) -> Sequence[Resource]:
        """The resources in the journal, read without its lock."""
        return read(self.state, self.scope)

    @contextmanager
    def locked(self, run: CommandRun) -> Iterator[Session[CloudT]]:
        """Open a session that may make changes: the journal is locked, events are shown, Ctrl-C requests a stop."""
        origin = find_origin(self.project.app.folder)
        refuse_foreign_app(self.project, self.state, origin)
        with Journal(self.state, self.scope, f"mldeploy {run.name}") as journal:
            if origin.folder != NO_FOLDER:
                record_origin(self.state, self.app, origin)
            try:
                with show_walk(run) as (events, cancel):
                    yield Session(self.cloud, journal, cancel, events)
            finally:
                journal.close()
                forget_origin(self.state, self.app)


def refuse_foreign_app(project: Project, state: Path, origin: AppOrigin) -> None:
    """Raises RefusedError if the project's name is only guessed, and the app of that name comes from another folder."""
    name, folder, environment = project.app.name, project.app.folder, project.app.environment
    if origin.folder == NO_FOLDER:  # the user has named the app
        return
    owner = read_origin(state, name)
    if owner is None or owner.is_same_app(origin) or _is_named(project):
        return
    plain = environment.app if environment else name
    what = f"the name {name} is guessed, and the app of that name comes from {owner}"
    todo = f'Write another name for this one, `name = "…"` in [app] of {OWN_FILE}; or "{plain}", if both are one app.'
    raise RefusedError(str(folder), what, todo)


def _is_named(project: Project) -> bool:
    """Whether the app's name is configured."""
    selection = environment_override(project.app.environment_name)
    return config.read(project.app.folder, selection).tables.app.name is not None


@contextmanager
def show_walk(run: CommandRun, detail: ProgressDetail = ProgressDetail.CHANGES) -> Iterator[tuple[Events, Cancel]]:
    """Show the events of a walk; Ctrl-C requests a stop."""
    with run.output.show_progress(detail) as events, stoppable(events) as cancel:
        yield events, cancel


def service_of(app: str) -> Resource:
    """Return what the app is in the events of an operation."""
    return Resource("service", Key(app))


@contextmanager
def show_operation(
    work: Session[CloudT], resource: Resource, title: str, action: Callable[[], Action] = lambda: Action.UPDATED
) -> Iterator[Monitor]:
    """Show an operation on a resource as a step. action: what it did. Raises InterruptedByUser after a stop.

    An operation that ends with an error before it has reported anything was refused: only the error is shown.
    """
    began, reported = time.monotonic(), False

    def pass_on(event: Event) -> None:
        nonlocal reported
        reported = reported or isinstance(event, Progressed)
        work.events(event)

    work.events(Started(resource, title))
    try:
        yield replace(work, events=pass_on).monitor(resource)
    except Exception as error:
        refused = isinstance(error, MldeployError) and not reported
        work.events(Failed(resource, title, error, time.monotonic() - began, refused))
        if isinstance(error, CancelledError):
            raise interrupted() from error
        raise
    work.events(Finished(resource, title, action(), time.monotonic() - began))


def report_sweep(
    work: Session[CloudT], goal: Step[CloudT, object], gates: Gates[CloudT] | None = None
) -> Session[CloudT]:
    """Return a session for a walk to `goal` that reports obsolete steps as removals."""
    return replace(work, events=as_sweep_events(work.events, {step.resource for step in steps_of(goal, gates)}))


def open_build_workspace(run: CommandRun, overrides: Overrides = ()) -> Workspace[EngineCloud]:
    """Connect to the engine for a project whose folder contains everything that a build needs."""
    inspection = inspect_folder(run, overrides)
    workspace = connect_engine(run, describe_models(run, inspection.project))
    return replace(workspace, assumed=assumed_documents(inspection), written=inspection.written)


def open_engine_workspace(run: CommandRun) -> Workspace[EngineCloud]:
    """Connect to the engine for a project of which only the configuration is read."""
    return connect_engine(run, load_project(run))


def inspect_folder(run: CommandRun, overrides: Overrides, *, verbose: bool = True) -> CheckedProject:
    """Inspect the folder, which must be complete. verbose: print assumptions and warnings."""
    inspection = load.load_project(run.folder, (*overrides, *run.selection))
    if verbose:
        _print_inspection(run, inspection)
    return inspection


def describe_models(run: CommandRun, project: Project, *, may_build: bool = True) -> Project:
    """Complete the description of the models of an app without code.

    may_build: they are inspected in a container of their image. Otherwise only an earlier inspection counts.
    """
    if all(each.is_described and each.proof for each in project.served):
        return project
    from mldeploy.cli import model_description  # noqa: PLC0415 - an app of one's own does not wait for it

    if may_build:
        inspected = model_description.describe_project(run, connect_engine(run, project))
        for text in inspected.unknown:
            run.output.warn(text)
        described = model_description.with_inspection(project, inspected)
        for each in described.served:
            if each.proof_summary:
                run.output.info(f"{each.path}: {each.proof_summary}")
        return described
    recalled = model_description.recall_description(project)
    if not all(each.is_described for each in recalled.served):
        run.output.info("The model has not been inspected yet. `mldeploy build` does it.")
    return recalled


def load_project(run: CommandRun) -> Project:
    """Load the project from its configuration alone."""
    require_folder(run.folder)
    return config.load(run.folder, run.selection)


def assumed_documents(inspection: CheckedProject) -> tuple[AssumedDocument, ...]:
    """Return what was assumed of the folder, for `--json`."""
    return tuple(
        AssumedDocument(key=each.key, value=each.value, why=each.why, guess=each.is_guess)
        for each in inspection.assumed
    )


def exit_if_interrupted(run: CommandRun, cancel: Cancel) -> None:
    """After a result: exit with 130 if a stop was requested too late to take effect."""
    if cancel.requested:
        run.output.warn("the command finished before it could be stopped")
        raise typer.Exit(ExitCode.INTERRUPTED)


def _print_inspection(run: CommandRun, inspection: CheckedProject) -> None:
    for remark in inspection.remarks:
        run.output.warn(f"{remark.source}: {remark.what}. {remark.todo}".rstrip())
    if not inspection.configured:
        assumed = ", ".join(f"{each.key} {each.value} ({each.origin})" for each in inspection.assumed)
        run.output.info(f"No {OWN_FILE}. Detected: {assumed}. Run `mldeploy init` to save these settings.")
    elif run.output.mode.verbose:
        for each in inspection.assumed:
            run.output.info(str(each))


def connect_engine(run: CommandRun, project: Project) -> Workspace[EngineCloud]:
    """Connect to the engine. Images on the engine belong to the target `local`, whose provider need not be loaded."""
    listen(verbose=run.output.mode.verbose)
    cloud = EngineCloud(Engine.connect())
    return Workspace(project, cloud, Scope(project.app.name, DEFAULT_TARGET, cloud.place))
