"""An app and a target on Azure, walked in this process, with everything that is told and asked on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core import verbs
from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Event, Noted
from mldeploy.core.journal import Journal, Scope
from mldeploy.core.monitor import Cancel
from mldeploy.core.session import Session
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.azure.acr import provider as acr
from mldeploy.providers.azure.settings import AcrSettings
from mldeploy.providers.azure.webapp.provider import provider as webapp
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.registry import AnyProvider
from mldeploy.rehearsal.azure import AzureRehearsal
from mldeploy.testing.scene import Scene


@dataclass
class Shop:
    """heard: every event of a deployment."""

    provider: AnyProvider
    settings: TargetSettings
    rehearsal: AzureRehearsal
    project: Project
    state: Path
    heard: list[Event] = field(default_factory=list)

    @property
    def scene(self) -> Scene:
        return Scene(self.provider, self.settings, self.rehearsal.endpoints, self.project, self.state)

    def deploy(self) -> verbs.Deployed[object]:
        scene = self.scene
        cloud = self.provider.connect(self.project, self.settings, self.rehearsal.endpoints)
        scope = Scope(self.project.app.name, self.provider.name, self.provider.place(cloud))
        with Journal(self.state, scope, "test") as journal:
            listening = Session(cloud, journal, Cancel(), self.heard.append)
            return verbs.deploy(scene.last, listening, sweep=self.provider.kinds)

    def fail(self) -> MldeployError:
        """Of the first step that failed."""
        with pytest.raises(DeploymentFailedError) as failed:
            self.deploy()
        error = failed.value.failures[0][1]
        assert isinstance(error, MldeployError), error
        return error

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.heard if isinstance(event, Noted)]

    def count(self, action: str) -> int:
        """How many calls there were of it."""
        return Counter(call.action for call in self.rehearsal.calls())[action]

    def kinds(self) -> Counter[str]:
        """What there is, by Azure's own name of its type."""
        return Counter(thing.kind for thing in self.rehearsal.contents())


def on_acr(rehearsal: AzureRehearsal, project: Project, state: Path, **settings: object) -> Shop:
    return Shop(acr, AcrSettings.model_validate(settings), rehearsal, project, state)


def on_webapp(rehearsal: AzureRehearsal, project: Project, state: Path, **settings: object) -> Shop:
    return Shop(webapp, WebappSettings.model_validate(settings), rehearsal, project, state)
