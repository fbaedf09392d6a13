"""The way through the house, wired once for all commands: settings → provider → clients → goal → journal → verbs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import typer

from mldeploy.cli.interrupt import stoppable
from mldeploy.cli.log import listen
from mldeploy.cli.options import DEFAULT_TARGET
from mldeploy.cli.run import Run
from mldeploy.config import load as config
from mldeploy.config.endpoints import PUBLIC
from mldeploy.config.override import Overrides
from mldeploy.config.paths import state_folder
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.errors import ExitCode
from mldeploy.core.events import Events
from mldeploy.core.journal import Journal, Scope, read
from mldeploy.core.monitor import Cancel
from mldeploy.core.session import Session
from mldeploy.core.step import Kinds, Resource, Step
from mldeploy.image.cloud import HasEngine
from mldeploy.image.types import Image
from mldeploy.project.errors import ProjectError
from mldeploy.project.inspect import inspect
from mldeploy.providers import registry
from mldeploy.providers.base import Address, Login, Provider, Service
from mldeploy.providers.errors import PluginError
from mldeploy.ui.output import Shown

CloudT = TypeVar("CloudT")
SettingsT = TypeVar("SettingsT", bound=TargetSettings)


@dataclass(frozen=True)
class Deployment(Generic[CloudT]):
    """An app on a target, connected to it: all that the verbs take."""

    project: Project
    target: str
    cloud: CloudT
    goal: Step[CloudT, Address] | None
    push: Step[CloudT, Image] | None
    kinds: Kinds[CloudT]
    service: Service
    inventory: Callable[[], Collection[Resource]]
    login: Callable[[], Login]
    scope: Scope

    @property
    def app(self) -> str:
        return self.project.app.name

    @property
    def last(self) -> Step[CloudT, object]:
        """The furthest step that the target has: where the app answers, or where its image is kept."""
        last = self.goal or self.push
        if last is None:
            raise PluginError(f"target {self.target}", "its provider names no step at all", "Update that provider.")
        return last

    @property
    def begun(self) -> Sequence[Resource]:
        """What the journal lists, read without its lock."""
        return read(state_folder(), self.scope)

    @contextmanager
    def locked(self, run: Run) -> Iterator[Session[CloudT]]:
        """A session that may change things: the journal is locked, events are shown, Ctrl-C asks to stop."""
        journal = Journal(state_folder(), self.scope, f"mldeploy {run.name}")
        with journal, watched(run) as (events, cancel):
            yield Session(self.cloud, journal, cancel, events)


@contextmanager
def watched(run: Run, shown: Shown = Shown.CHANGES) -> Iterator[tuple[Events, Cancel]]:
    """Show a walk's events; Ctrl-C asks it to stop."""
    with run.output.watching(shown) as events, stoppable(events) as cancel:
        yield events, cancel


def complete(run: Run, target: str, overrides: Overrides = ()) -> Deployment[object]:
    """For a deployment: the folder is looked at, and everything that it must hold is there."""
    return _complete(run, registry.find(target), overrides)


def complete_image(run: Run, overrides: Overrides = ()) -> Deployment[HasEngine]:
    """The same for a build: an image on this machine's engine belongs to the local target."""
    return _complete(run, registry.find(DEFAULT_TARGET), overrides)


def known(run: Run, target: str) -> Deployment[object]:
    """For operating what runs: the configuration suffices, whatever has become of the folder's other files."""
    return _known(run, registry.find(target))


def known_images(run: Run) -> Deployment[HasEngine]:
    """The same for the images on this machine's engine."""
    return _known(run, registry.find(DEFAULT_TARGET))


def _complete(run: Run, provider: Provider[CloudT, TargetSettings], overrides: Overrides) -> Deployment[CloudT]:
    inspection = inspect(run.folder, overrides)
    if run.output.manner.verbose:
        for note in inspection.notes:
            run.output.say(note)
    settings = config.target_settings(
        run.folder, provider.name, provider.settings, (*overrides, *run.account(provider.name))
    )
    return connect(run, provider, inspection.project, settings)


def _known(run: Run, provider: Provider[CloudT, TargetSettings]) -> Deployment[CloudT]:
    if not run.folder.is_dir():
        raise ProjectError(str(run.folder), "there is no such folder", "Name the project's folder with -C.")
    settings = config.target_settings(run.folder, provider.name, provider.settings, run.account(provider.name))
    return connect(run, provider, config.load(run.folder), settings)


def named(run: Run, target: str, app: str) -> Deployment[object]:
    """For removing an app of which nothing is known but its name: the folder may be broken, or gone."""
    provider = registry.find(target)
    project = config.named(app, "--app")
    settings = config.target_settings(project.app.folder, provider.name, provider.settings, run.account(provider.name))
    return connect(run, provider, project, settings)


def connect(
    run: Run, provider: Provider[CloudT, SettingsT], project: Project, settings: SettingsT
) -> Deployment[CloudT]:
    """Make the clients, and the goal from the settings."""
    listen(verbose=run.output.manner.verbose)
    cloud = provider.connect(project, settings, PUBLIC)
    return Deployment(
        project,
        provider.name,
        cloud,
        provider.goal(project, settings),
        provider.push(project, settings),
        provider.kinds,
        provider.service(cloud, project, settings),
        lambda: provider.inventory(cloud, project),
        lambda: provider.login(cloud),
        Scope(project.app.name, provider.name, provider.place(cloud)),
    )


def unless_stopped(run: Run, cancel: Cancel) -> None:
    """After a result that a requested stop came too late for: say so in the exit code."""
    if cancel.requested:
        run.output.warn("everything was done before it could be stopped")
        raise typer.Exit(ExitCode.INTERRUPTED)
