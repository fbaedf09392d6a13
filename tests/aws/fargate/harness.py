"""An account of the stand-in, and the walks of a deployment to Fargate in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, cast

from mldeploy.config import load
from mldeploy.config.endpoints import Endpoints
from mldeploy.config.settings import Project
from mldeploy.core import verbs
from mldeploy.core.events import Event
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Outputs, Resource, Seen, Step
from mldeploy.image.engine import Engine
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.types import Image
from mldeploy.providers.aws.account import authenticate
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.endpoint import FargateEndpoint
from mldeploy.providers.aws.fargate.operations import FargateService
from mldeploy.providers.aws.fargate.provider import build_goal, provider
from mldeploy.providers.aws.fargate.settings import TABLE, FargateSettings
from mldeploy.providers.base import Address
from mldeploy.rehearsal.aws import Rehearsal
from tests.aws.harness import create_user, list_policies
from tests.aws.requests import RecordedCall, record_calls

NOWHERE = cast("Engine", None)
"""What is tried here builds nothing."""
DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True, eq=False)
class ReadyImage(Step[FargateCloud, Image]):
    """An image that somebody else has pushed."""

    kind: ClassVar[str] = "ready-image"
    title: ClassVar[str] = "Find the image"

    tag: str = "one"

    def key(self) -> Key:
        return Key("ready")

    def probe(self, cloud: FargateCloud, outs: Outputs) -> Seen[Image]:
        reference = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{self.tag}@{DIGEST}"
        return Seen(Image(reference, DIGEST, "linux/amd64", 1, ()), ours=False)

    def apply(self, cloud: FargateCloud, outs: Outputs, seen: Seen[Image] | None, monitor: Monitor) -> Image:
        raise AssertionError("it is there")

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        return False


@dataclass(frozen=True)
class Deployer:
    """An app and who deploys it. folder: takes the journal. calls: takes every call with its parameters."""

    rehearsal: Rehearsal
    folder: Path
    project: Project
    settings: FargateSettings
    calls: list[RecordedCall] | None = None
    user: Endpoints | None = None
    """Who deploys, if it is not the owner of the account."""

    @classmethod
    def of(cls, rehearsal: Rehearsal, folder: Path, app: str = "paper", **settings: object) -> Deployer:
        project = load.named(app, "a test")
        project = replace(project, build=replace(project.build, platform="linux/amd64"))
        return cls(rehearsal, folder, project, FargateSettings.model_validate(settings))

    @property
    def cloud(self) -> FargateCloud:
        account = authenticate(TABLE, self.settings, self.user or self.rehearsal.endpoints)
        if self.calls is not None:
            record_calls(account.session, self.calls)
        return FargateCloud.of(NOWHERE, account, self.project.app.name, self.project.app.name, self.settings.roles)

    @property
    def service(self) -> FargateService:
        return FargateService(self.cloud, self.project, self.settings)

    def goal(self, tag: str = "one") -> FargateEndpoint:
        return build_goal(self.project, self.settings, cast("PushedImage", ReadyImage(tag)))

    def deploy(self, tag: str = "one") -> verbs.Deployed[Address]:
        cloud = self.cloud
        with self._journal(cloud) as journal:
            return verbs.deploy(self.goal(tag), self._session(cloud, journal), sweep=provider.kinds)

    def look(self) -> dict[str, verbs.StepView[object]]:
        return {str(each.step.resource): each for each in verbs.look(self.goal(), self.cloud, Cancel())}

    def destroy(self) -> verbs.Destroyed:
        cloud = self.cloud
        named = [step.resource for step in steps_of(self.goal()) if step.kind != ReadyImage.kind]
        with self._journal(cloud) as journal:
            return verbs.destroy(
                provider.kinds,
                self._session(cloud, journal),
                named=named,
                inventory=lambda: provider.inventory(cloud, self.project),
            )

    def restricted(self, *features: str) -> Deployer:
        """By a user who has exactly what `mldeploy policy` prints."""
        policies = list_policies(provider, self.cloud, self.project, self.settings, features)
        return replace(self, user=create_user(self.rehearsal, policies))

    def with_(self, **settings: object) -> Deployer:
        return replace(self, settings=FargateSettings.model_validate({**self.settings.model_dump(), **settings}))

    def _journal(self, cloud: FargateCloud) -> Journal:
        return Journal(self.folder, Scope(self.project.app.name, provider.name, provider.place(cloud)), "a test")

    @staticmethod
    def _session(cloud: FargateCloud, journal: Journal) -> Session[FargateCloud]:
        return Session(cloud, journal, Cancel(), _heard)


def monitor(service: FargateService) -> Monitor:
    """For an operation that nobody watches."""
    return Monitor(Resource("service", Key(service.app)), _heard, Cancel())


def _heard(event: Event) -> None:
    """Nobody listens."""
