"""An app and its repository on Docker Hub, walked in this process, with everything that is told on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core import verbs
from mldeploy.core.events import Event, Noted
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Journal, Scope
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.session import Session
from mldeploy.core.step import Outputs, Resource
from mldeploy.image.types import Image
from mldeploy.providers.checks import Finding
from mldeploy.providers.dockerhub.checks import look
from mldeploy.providers.dockerhub.cloud import HubCloud
from mldeploy.providers.dockerhub.provider import DockerHubProvider
from mldeploy.providers.dockerhub.repository import HubImage
from mldeploy.providers.dockerhub.settings import DockerHubSettings
from mldeploy.rehearsal.dockerhub import HubRehearsal
from tests.dockerhub.others import Others
from tests.tiny import project_of


@dataclass
class HubShop:
    """heard: every event. state: where journals go. credentials: others than the rehearsal's first ones."""

    folder: Path
    rehearsal: HubRehearsal
    state: Path
    settings: DockerHubSettings = field(default_factory=lambda: DockerHubSettings.model_validate({}))
    credentials: tuple[str, str] | None = None
    heard: list[Event] = field(default_factory=list)

    @property
    def project(self) -> Project:
        return project_of(self.folder)

    @property
    def name(self) -> str:
        return self.project.app.name

    @property
    def others(self) -> Others:
        return Others(self.rehearsal)

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.heard if isinstance(event, Noted)]

    @property
    def endpoints(self) -> Endpoints:
        found = self.rehearsal.endpoints
        if self.credentials is None:
            return found
        user, token = self.credentials
        return replace(found, credentials=(("username", Secret(user)), ("token", Secret(token))))

    @property
    def step(self) -> HubImage:
        """The last one."""
        return DockerHubProvider().push(self.project, self.settings)

    @property
    def nothing(self) -> Outputs:
        """What the repository's step needs."""
        return Outputs(self.step.repository, {})

    @property
    def monitor(self) -> Monitor:
        return Monitor(self.step.resource, self.heard.append, Cancel())

    def set(self, **values: object) -> None:
        """The table, anew."""
        self.settings = DockerHubSettings.model_validate(values)

    def connect(self) -> HubCloud:
        return DockerHubProvider().connect(self.project, self.settings, self.endpoints)

    def push(self) -> verbs.Deployed[Image]:
        provider = DockerHubProvider()
        with self._session() as session:
            return verbs.deploy(provider.push(self.project, self.settings), session, sweep=provider.kinds)

    def plan(self) -> dict[str, verbs.Change]:
        """What a push would do, by the step's kind."""
        plan = verbs.plan(DockerHubProvider().push(self.project, self.settings), self.connect(), Cancel())
        return {each.resource.kind: each for each in plan.changes}

    def destroy(self) -> tuple[Resource, ...]:
        """What was removed."""
        provider = DockerHubProvider()
        named = [step.resource for step in steps_of(provider.push(self.project, self.settings))]
        with self._session() as session:
            destroyed = verbs.destroy(
                provider.kinds,
                session,
                named=named,
                inventory=lambda: provider.inventory(session.cloud, self.project),
            )
        return destroyed.removed

    def look(self) -> dict[str, Finding]:
        """What the doctor says, by subject."""
        return {each.subject: each for each in look(self.project, self.settings, self.endpoints)}

    def sent(self) -> int:
        """How many requests have brought something to the app's repository."""
        mine = (each for each in self.rehearsal.transfers() if self.name in each.path)
        return sum(each.method not in ("GET", "HEAD") for each in mine)

    @contextmanager
    def _session(self) -> Iterator[Session[HubCloud]]:
        cloud = self.connect()
        scope = Scope(self.name, "dockerhub", DockerHubProvider().place(cloud))
        with Journal(self.state, scope, "test") as journal:
            yield Session(cloud, journal, Cancel(), self.heard.append)
