"""An account of the stand-in, and the walks of a deployment to Fargate in it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

import pytest
import requests

from mldeploy.app.verdict import VerdictError
from mldeploy.config import load
from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core import verbs
from mldeploy.core.events import Event, Progressed
from mldeploy.core.graph import steps_of
from mldeploy.core.journal import Journal, Scope, Session
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Outputs, Resource, Seen, Step
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.image.engine import Engine
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.types import Image
from mldeploy.providers.aws.account import authenticate
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.endpoint import FargateEndpoint
from mldeploy.providers.aws.fargate.operations import FargateService
from mldeploy.providers.aws.fargate.provider import build_goal, provider
from mldeploy.providers.aws.fargate.settings import TABLE, FargateSettings
from mldeploy.providers.aws.fargate.tags import resource_name
from mldeploy.providers.base import Address, Release
from mldeploy.providers.traffic import Traffic
from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.rehearsal.containers.fake import EXIT
from mldeploy.testing.scene import DeploymentUnderTest
from tests.aws.harness import create_user, list_policies
from tests.aws.requests import RecordedCall, record_calls

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import ServiceTypeDef

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


@dataclass
class FargateApp:
    """An app of next to nothing, whose tasks answer {} to everything. said: what was reported meanwhile."""

    rehearsal: Rehearsal
    project: Project
    state: Path
    settings: FargateSettings = field(default_factory=lambda: FargateSettings.model_validate({}))
    said: list[Event] = field(default_factory=list)
    user: Endpoints | None = None
    """Who deploys, if it is not the owner of the account."""

    def configure(self, **values: object) -> None:
        """Further settings from now on."""
        self.settings = FargateSettings.model_validate({**self.settings.model_dump(), **values})

    def tell(self, **values: str) -> None:
        """Other variables from now on: another version."""
        env = tuple(sorted((name, Secret(value)) for name, value in values.items()))
        self.project = replace(self.project, app=replace(self.project.app, env=env))

    def expect(self, answer: object) -> None:
        """A golden row from now on."""
        golden = self.state.with_name("golden.json")
        golden.write_text(json.dumps({"path": "/predict", "request": {}, "expect": answer}))
        self.project = replace(self.project, check=replace(self.project.check, golden=golden))

    @property
    def _deployment(self) -> DeploymentUnderTest:
        endpoints = self.user or self.rehearsal.endpoints
        return DeploymentUnderTest(provider, self.settings, endpoints, self.project, self.state)

    def restrict(self) -> None:
        """From now on by a user who has exactly what `mldeploy policy` prints."""
        self.user = create_user(self.rehearsal, list_policies(provider, self.cloud, self.project, self.settings))

    def place(self) -> Release:
        """Start a canary."""
        return self._deployment.place_candidate().release

    @property
    def traffic(self) -> Traffic:
        return self._deployment.traffic

    def deploy(self) -> Address:
        out = self._deployment.deploy().out
        assert isinstance(out, Address)
        return out

    def fail(self) -> VerdictError:
        """Deploy what cannot serve; why not."""
        with pytest.raises(DeploymentFailedError) as failed:
            self.deploy()
        verdict = failed.value.failures[0][1]
        assert isinstance(verdict, VerdictError), verdict
        return verdict

    def plan(self) -> dict[str, tuple[str, ...]]:
        """What would be changed, and why."""
        changes = self._deployment.plan().changes
        return {each.resource.kind: each.reasons for each in changes if each.intent is not verbs.Intent.UNCHANGED}

    def destroy(self) -> verbs.Destroyed:
        return self._deployment.destroy()

    @property
    def service(self) -> FargateService:
        return FargateService(self.cloud, self.project, self.settings)

    @property
    def cloud(self) -> FargateCloud:
        return provider.connect(self.project, self.settings, self.user or self.rehearsal.endpoints)

    @property
    def monitor(self) -> Monitor:
        return Monitor(Resource("service", Key(self.project.app.name)), self.said.append, Cancel())

    @property
    def progress(self) -> list[str]:
        return [each.progress.text for each in self.said if isinstance(each, Progressed)]

    @property
    def tasks(self) -> set[str]:
        """The names of the service's tasks."""
        return {each.name for each in self.service.instances()}

    @property
    def described(self) -> ServiceTypeDef:
        name = resource_name(self.project.app.name)
        return self.cloud.ecs.describe_services(cluster=name, services=[name])["services"][0]

    def crash(self, url: str) -> None:
        """End the task that answers there, as if its process had been killed; return once another one is healthy."""
        (before,) = self.tasks
        with suppress(requests.RequestException):
            requests.get(f"{url}{EXIT}137", timeout=10)
        for _ in self.monitor.attempts(every=0.1, within=300):
            if [each.health for each in self.service.instances() if each.name != before] == ["healthy"]:
                return
        raise AssertionError("the task was not replaced")


def monitor(service: FargateService) -> Monitor:
    """For an operation that nobody watches."""
    return Monitor(Resource("service", Key(service.app)), _heard, Cancel())


def _heard(event: Event) -> None:
    """Nobody listens."""
