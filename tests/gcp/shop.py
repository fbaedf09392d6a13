"""An app and a target on Google Cloud, walked in this process, with everything that is told on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mldeploy.config.settings import Project
from mldeploy.core import verbs
from mldeploy.core.events import Event, Noted
from mldeploy.core.journal import Journal, Scope
from mldeploy.core.monitor import Cancel
from mldeploy.core.session import Session
from mldeploy.core.step import Resource
from mldeploy.image.types import Image
from mldeploy.providers.checks import Finding
from mldeploy.providers.gcp.cloud import GcpCloud
from mldeploy.providers.gcp.gar import GarProvider
from mldeploy.providers.gcp.gcr import GcrProvider
from mldeploy.providers.gcp.settings import GarSettings, GcrSettings
from mldeploy.rehearsal.gcp import GcpRehearsal
from tests.gcp.others import Others
from tests.tiny import project_of


@dataclass
class GarShop:
    """heard: every event. state: where journals go."""

    folder: Path
    rehearsal: GcpRehearsal
    state: Path
    settings: GarSettings = field(default_factory=lambda: GarSettings.model_validate({}))
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

    def connect(self) -> GcpCloud:
        return GarProvider().connect(self.project, self.settings, self.rehearsal.endpoints)

    def push(self) -> verbs.Deployed[Image]:
        provider, cloud = GarProvider(), self.connect()
        with Journal(self.state, Scope(self.name, "gar", provider.place(cloud)), "test") as journal:
            session = Session(cloud, journal, Cancel(), self.heard.append)
            return verbs.deploy(provider.push(self.project, self.settings), session, sweep=provider.kinds)

    def reasons(self) -> dict[str, tuple[str, ...]]:
        """What a push would change, and why, by the step's kind."""
        plan = verbs.plan(GarProvider().push(self.project, self.settings), self.connect(), Cancel())
        return {each.resource.kind: each.reasons for each in plan.changes if each.reasons}

    def look(self) -> dict[str, Finding]:
        """What the doctor says, by subject."""
        found = GarProvider().look(self.project, self.settings, self.rehearsal.endpoints)
        return {each.subject: each for each in found}

    def sent(self) -> int:
        """How many requests have brought something to the app's repository."""
        mine = (each for each in self.rehearsal.transfers() if self.name in each.path)
        return sum(each.method not in ("GET", "HEAD") for each in mine)


@dataclass
class GcrShop:
    """The same for the old names."""

    folder: Path
    rehearsal: GcpRehearsal
    state: Path
    settings: GcrSettings = field(default_factory=lambda: GcrSettings.model_validate({}))
    heard: list[Event] = field(default_factory=list)

    @property
    def project(self) -> Project:
        return project_of(self.folder)

    @property
    def name(self) -> str:
        return self.project.app.name

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.heard if isinstance(event, Noted)]

    def push(self) -> verbs.Deployed[Image]:
        with self._session() as session:
            return verbs.deploy(GcrProvider().push(self.project, self.settings), session, sweep=GcrProvider.kinds)

    def destroy(self) -> tuple[Resource, ...]:
        """What was removed."""
        with self._session() as session:
            destroyed = verbs.destroy(
                GcrProvider.kinds,
                session,
                named=(),
                inventory=lambda: GcrProvider().inventory(session.cloud, self.project),
            )
        return destroyed.removed

    @contextmanager
    def _session(self) -> Iterator[Session[GcpCloud]]:
        cloud = GcrProvider().connect(self.project, self.settings, self.rehearsal.endpoints)
        with Journal(self.state, Scope(self.name, "gcr", GcrProvider().place(cloud)), "test") as journal:
            yield Session(cloud, journal, Cancel(), self.heard.append)
