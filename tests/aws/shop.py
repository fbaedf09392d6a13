"""An app and the target `ecr`, walked in this process, with everything that is told and asked on the way."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mldeploy.config.settings import Project
from mldeploy.core import verbs
from mldeploy.core.events import Event, Progress, Progressed
from mldeploy.core.journal import Journal, Scope
from mldeploy.core.monitor import Cancel
from mldeploy.core.session import Session
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.types import Image
from mldeploy.providers.aws.ecr import EcrProvider
from mldeploy.providers.aws.settings import EcrSettings
from mldeploy.rehearsal.aws import Rehearsal
from tests.aws.stage import session
from tests.cli.command import Command
from tests.tiny import project_of

if TYPE_CHECKING:
    from types_boto3_ecr import ECRClient

PROVIDER = EcrProvider()


@dataclass
class Shop:
    """heard: every event. state: where journals go."""

    folder: Path
    rehearsal: Rehearsal
    state: Path
    settings: EcrSettings = field(default_factory=lambda: EcrSettings.model_validate({}))
    heard: list[Event] = field(default_factory=list)

    @property
    def project(self) -> Project:
        return project_of(self.folder)

    @property
    def name(self) -> str:
        return self.project.app.name

    @property
    def ecr(self) -> ECRClient:
        """ECR as anybody else in the same account would use it."""
        return session(self.rehearsal).client("ecr", endpoint_url=self.rehearsal.endpoints.url)

    def access(self) -> RegistryAccess:
        return PROVIDER.login(PROVIDER.connect(self.project, self.settings, self.rehearsal.endpoints)).registry

    def push(self, cancel: Cancel | None = None) -> verbs.Deployed[Image]:
        project = self.project
        cloud = PROVIDER.connect(project, self.settings, self.rehearsal.endpoints)
        with Journal(self.state, Scope(project.app.name, "ecr", PROVIDER.place(cloud)), "test") as journal:
            listening = Session(cloud, journal, cancel or Cancel(), self.heard.append)
            return verbs.deploy(PROVIDER.push(project, self.settings), listening, sweep=PROVIDER.kinds)

    def plan(self) -> verbs.Plan:
        cloud = PROVIDER.connect(self.project, self.settings, self.rehearsal.endpoints)
        return verbs.plan(PROVIDER.push(self.project, self.settings), cloud, Cancel())

    def reasons(self) -> dict[str, tuple[str, ...]]:
        """What a push would change, and why, by the step's kind."""
        return {each.resource.kind: each.reasons for each in self.plan().changes if each.reasons}

    @property
    def progress(self) -> list[Progress]:
        return [event.progress for event in self.heard if isinstance(event, Progressed)]

    @property
    def repositories(self) -> list[str]:
        """The paths of this app's."""
        things = self.rehearsal.contents()
        return [thing.name for thing in things if thing.kind == "ecr:repository" and self.name in thing.name]

    def sent(self) -> int:
        """How many requests have brought something to the app's repository."""
        mine = (each for each in self.rehearsal.transfers() if self.name in each.path)
        return sum(each.method not in ("GET", "HEAD") for each in mine)

    def command(self, home: Path) -> Command:
        """The command line of a user who has the stand-in's keys and, as AWS's own tools do, its address."""
        place = self.rehearsal.endpoints
        keys = {name.upper(): value.reveal() for name, value in place.credentials}
        docker = {"DOCKER_CONFIG": str(home / "docker"), "DOCKER_HOST": os.environ.get("DOCKER_HOST", "")}
        return Command(self.state.parent / "home", self.folder).with_env(
            AWS_ENDPOINT_URL=place.url, AWS_REGION=place.region, **keys, **docker
        )
