"""An app and the clients to work on it with: wired once for all commands, here for those that need the engine alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

import typer

from mldeploy.cli.assumed import documents, tell
from mldeploy.cli.interrupt import stoppable
from mldeploy.cli.log import listen
from mldeploy.cli.options import DEFAULT_TARGET
from mldeploy.cli.run import Run
from mldeploy.config import load as config
from mldeploy.config.override import Overrides
from mldeploy.config.paths import state_folder
from mldeploy.config.settings import Project
from mldeploy.core.errors import ExitCode
from mldeploy.core.events import Events
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Journal, Scope, read
from mldeploy.core.monitor import Cancel
from mldeploy.core.session import Session
from mldeploy.core.step import Resource, Step
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.engine import Engine
from mldeploy.project.folder import require_folder
from mldeploy.project.inspect import Inspection, inspect
from mldeploy.ui.documents.image import AssumedDocument
from mldeploy.ui.output import Shown
from mldeploy.ui.plain import of_sweep

CloudT = TypeVar("CloudT")


@dataclass(frozen=True)
class Workplace(Generic[CloudT]):
    """An app in one place, connected to it, and the journal of what is done there."""

    project: Project
    cloud: CloudT
    scope: Scope
    assumed: tuple[AssumedDocument, ...] = field(default=(), kw_only=True)
    """What nobody has configured, and was found in the folder."""
    state: Path = field(default_factory=state_folder, kw_only=True)
    """Where the journal is."""

    @property
    def app(self) -> str:
        return self.project.app.name

    @property
    def begun(self) -> Sequence[Resource]:
        """What the journal lists, read without its lock."""
        return read(self.state, self.scope)

    @contextmanager
    def locked(self, run: Run) -> Iterator[Session[CloudT]]:
        """A session that may change things: the journal is locked, events are shown, Ctrl-C asks to stop."""
        journal = Journal(self.state, self.scope, f"mldeploy {run.name}")
        with journal, watched(run) as (events, cancel):
            yield Session(self.cloud, journal, cancel, events)


@contextmanager
def watched(run: Run, shown: Shown = Shown.CHANGES) -> Iterator[tuple[Events, Cancel]]:
    """Show a walk's events; Ctrl-C asks it to stop."""
    with run.output.watching(shown) as events, stoppable(events) as cancel:
        yield events, cancel


def sweeping(work: Session[CloudT], goal: Step[CloudT, object]) -> Session[CloudT]:
    """The session for a walk to that goal, in which what is no longer part of it is told as a removal."""
    return replace(work, events=of_sweep(work.events, {step.resource for step in steps_of(goal)}))


def for_build(run: Run, overrides: Overrides = ()) -> Workplace[EngineCloud]:
    """The engine, and a folder that holds everything that an image needs."""
    inspection = inspected(run, overrides)
    return replace(_on_engine(run, inspection.project), assumed=documents(inspection))


def for_images(run: Run) -> Workplace[EngineCloud]:
    """The engine, whatever has become of the folder's files: the configuration suffices."""
    return _on_engine(run, configured(run))


def inspected(run: Run, overrides: Overrides, *, aloud: bool = True) -> Inspection:
    """A folder in which everything is there that it must hold. aloud: say what is assumed of it, and looks wrong."""
    inspection = inspect(run.folder, overrides)
    if aloud:
        tell(run, inspection)
    return inspection


def configured(run: Run) -> Project:
    """The project as its configuration alone says."""
    require_folder(run.folder)
    return config.load(run.folder)


def _on_engine(run: Run, project: Project) -> Workplace[EngineCloud]:
    """An image on the engine belongs to the local target, whose provider nobody needs to wait for."""
    listen(verbose=run.output.manner.verbose)
    cloud = EngineCloud(Engine.connect())
    return Workplace(project, cloud, Scope(project.app.name, DEFAULT_TARGET, cloud.place))


def unless_stopped(run: Run, cancel: Cancel) -> None:
    """After a result that a requested stop came too late for: say so in the exit code."""
    if cancel.requested:
        run.output.warn("everything was done before it could be stopped")
        raise typer.Exit(ExitCode.INTERRUPTED)
