"""An app and its place in a registry, walked in this process, with everything that is told on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core import verbs
from mldeploy.core.events import Event, Noted
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel
from mldeploy.core.step import Resource, Step
from mldeploy.image.types import Image
from mldeploy.providers.base import Provider
from mldeploy.providers.capabilities import Registry
from mldeploy.rehearsal.client import Rehearsal
from tests.tiny import project_of


class RegistryProvider(Provider[Any, Any], Registry[Any, Any], Protocol):
    """A provider that can push."""


@dataclass
class RegistryShop:
    """heard: every event. state: where journals go. settings: the target's own defaults, if none are given."""

    provider: ClassVar[RegistryProvider]
    folder: Path
    rehearsal: Rehearsal
    state: Path
    settings: Any = None
    heard: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.settings is None:
            self.set()

    def set(self, **values: object) -> None:
        """The target's table, anew."""
        self.settings = self.provider.settings.model_validate(values)

    @property
    def project(self) -> Project:
        return project_of(self.folder)

    @property
    def name(self) -> str:
        return self.project.app.name

    @property
    def endpoints(self) -> Endpoints:
        return self.rehearsal.endpoints

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.heard if isinstance(event, Noted)]

    def connect(self) -> Any:
        """The target's clients."""
        return self.provider.connect(self.project, self.settings, self.endpoints)

    @property
    def last(self) -> Step[Any, Image]:
        """The last step of a push."""
        return self.provider.push(self.project, self.settings)

    def push(self, cancel: Cancel | None = None) -> verbs.Deployed[Image]:
        with self._session(cancel or Cancel()) as session:
            return verbs.deploy(self.last, session, sweep=self.provider.kinds)

    def plan(self) -> verbs.Plan:
        return verbs.plan(self.last, self.connect(), Cancel())

    def reasons(self) -> dict[str, tuple[str, ...]]:
        """What a push would change, and why, by the step's kind."""
        return {each.resource.kind: each.reasons for each in self.plan().changes if each.reasons}

    def destroy(self) -> tuple[Resource, ...]:
        """What was removed."""
        provider, project = self.provider, self.project
        named = [step.resource for step in steps_of(self.last)]
        with self._session(Cancel()) as session:
            cloud = session.cloud
            result = verbs.destroy(
                provider.kinds, session, named=named, inventory=lambda: provider.inventory(cloud, project)
            )
        return result.removed

    def sent(self) -> int:
        """How many requests have brought something to the app's repository."""
        mine = (each for each in self.rehearsal.transfers() if self.name in each.path)
        return sum(each.method not in ("GET", "HEAD") for each in mine)

    @contextmanager
    def _session(self, cancel: Cancel) -> Iterator[Session[Any]]:
        cloud = self.connect()
        scope = Scope(self.name, self.provider.name, self.provider.place(cloud))
        with Journal(self.state, scope, "test") as journal:
            yield Session(cloud, journal, cancel, self.heard.append)
