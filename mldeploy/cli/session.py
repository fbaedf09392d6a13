"""The way through the house, wired once for all commands: settings → provider → clients → goal → journal → verbs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from mldeploy.cli.assumed import documents
from mldeploy.cli.ground import ground
from mldeploy.cli.log import listen
from mldeploy.cli.run import Run
from mldeploy.cli.workplace import CloudT, Workplace, configured, inspected
from mldeploy.config import load as config
from mldeploy.config.override import Overrides
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.journal import Scope
from mldeploy.core.step import Kinds, Resource, Step
from mldeploy.image.check.step import CheckedImage
from mldeploy.image.types import Image
from mldeploy.project.folder import require_folder
from mldeploy.project.inspect import surmise
from mldeploy.providers import registry
from mldeploy.providers.base import Address, Login, Provider, Service
from mldeploy.providers.costs import Estimate, HasCosts
from mldeploy.providers.errors import PluginError
from mldeploy.providers.manifests import HasManifests, Manifests
from mldeploy.providers.policies import HasPolicy

SettingsT = TypeVar("SettingsT", bound=TargetSettings)


@dataclass(frozen=True)
class Deployment(Workplace[CloudT]):
    """An app on a target: all that the verbs take."""

    target: str
    goal: Step[CloudT, Address] | None
    push: Step[CloudT, Image] | None
    kinds: Kinds[CloudT]
    service: Service
    inventory: Callable[[], Collection[Resource]]
    login: Callable[[], Login]
    policy: Callable[[], Mapping[str, object]] | None
    costs: Callable[[], Estimate] | None
    manifests: Callable[[str, bool], Manifests] | None
    """For an image, by digest, with or without what holds secrets."""
    trust: Path | None
    """The authorities that certify what is deployed, where that are not the usual ones."""

    @property
    def swept(self) -> Kinds[CloudT]:
        """What a deployment removes when it has no more need of it: everything but what is known of a good image."""
        return {kind: step for kind, step in self.kinds.items() if kind != CheckedImage.kind}

    @property
    def verb(self) -> str:
        """The command that brings the app there."""
        return "deploy" if self.goal else "push"

    @property
    def last(self) -> Step[CloudT, object]:
        """The furthest step that the target has: where the app answers, or where its image is kept."""
        last = self.goal or self.push
        if last is None:
            raise PluginError(f"target {self.target}", "its provider names no step at all", "Update that provider.")
        return last


def complete(run: Run, target: str, overrides: Overrides = (), *, aloud: bool = True) -> Deployment[object]:
    """For a deployment: the folder is looked at, and everything that it must hold is there.

    aloud: say what was assumed of it, and what looks wrong.
    """
    provider = registry.find(target)
    inspection = inspected(run, overrides, aloud=aloud)
    settings = config.target_settings(run.folder, target, provider.settings, (*overrides, *run.account(target)))
    return replace(connect(run, provider, inspection.project, settings), assumed=documents(inspection))


def known(run: Run, target: str) -> Deployment[object]:
    """For operating what runs: the configuration suffices, whatever has become of the folder's other files."""
    return _known(run, target, configured(run))


def askable(run: Run, target: str) -> Deployment[object]:
    """The same for asking it: the routes that no configuration names are looked up in the source."""
    require_folder(run.folder)
    return _known(run, target, surmise(run.folder))


def _known(run: Run, target: str, project: Project) -> Deployment[object]:
    provider = registry.find(target)
    settings = config.target_settings(run.folder, target, provider.settings, run.account(target))
    return connect(run, provider, project, settings)


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
    place = ground(run, provider.name)
    cloud = provider.connect(project, settings, place.endpoints)
    return Deployment(
        project,
        cloud,
        Scope(project.app.name, provider.name, provider.place(cloud)),
        provider.name,
        provider.goal(project, settings),
        provider.push(project, settings),
        provider.kinds,
        provider.service(cloud, project, settings),
        lambda: provider.inventory(cloud, project),
        lambda: provider.login(cloud),
        (lambda: provider.policy(cloud)) if isinstance(provider, HasPolicy) else None,
        (lambda: provider.costs(cloud, project, settings)) if isinstance(provider, HasCosts) else None,
        _manifests(provider, cloud, project, settings),
        place.endpoints.ca_bundle,
        state=place.state,
    )


def _manifests(
    provider: Provider[CloudT, SettingsT], cloud: CloudT, project: Project, settings: SettingsT
) -> Callable[[str, bool], Manifests] | None:
    if not isinstance(provider, HasManifests):
        return None
    return lambda image, secrets: provider.manifests(cloud, project, settings, image, secrets=secrets)
