"""An app and the target `ecr`, deployed in this process, with every event and call."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.events import Progress, Progressed
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.aws.ecr import EcrProvider
from tests.cli.command import Command
from tests.shop import RegistryProvider, RegistryShop

if TYPE_CHECKING:
    from types_boto3_ecr import ECRClient
from collections.abc import Callable

import boto3

from mldeploy.rehearsal.aws import Rehearsal
from mldeploy.testing.rehearsal import RehearsalStage
from mldeploy.testing.stage import CloudT, SettingsT


@dataclass
class EcrHarness(RegistryShop):
    """On `ecr`."""

    provider: ClassVar[RegistryProvider] = EcrProvider()

    @property
    def ecr(self) -> ECRClient:
        """ECR as anybody else in the same account would use it."""
        return session(self.rehearsal).client("ecr", endpoint_url=self.rehearsal.endpoints.url)

    def access(self) -> RegistryAccess:
        return self.provider.login(self.connect()).registry

    @property
    def progress(self) -> list[Progress]:
        return [event.progress for event in self.heard if isinstance(event, Progressed)]

    @property
    def repositories(self) -> list[str]:
        """The paths of this app's."""
        things = self.rehearsal.contents()
        return [thing.name for thing in things if thing.kind == "ecr:repository" and self.name in thing.name]

    def command(self, home: Path) -> Command:
        """The command line of a user who has the stand-in's keys and, as AWS's own tools do, its address."""
        endpoints = self.rehearsal.endpoints
        keys = {name.upper(): value.reveal() for name, value in endpoints.credentials}
        docker = {"DOCKER_CONFIG": str(home / "docker"), "DOCKER_HOST": os.environ.get("DOCKER_HOST", "")}
        return Command(self.state.parent / "home", self.folder).with_env(
            AWS_ENDPOINT_URL=endpoints.url, AWS_REGION=endpoints.region, **keys, **docker
        )


@dataclass(frozen=True)
class AwsStage(RehearsalStage[CloudT, SettingsT, Rehearsal]):
    """strangers: makes, with a session of the stand-in's, what is not ours."""

    strangers: Callable[[Rehearsal, boto3.Session], None]

    def add_foreign(self) -> None:
        self.strangers(self.rehearsal, session(self.rehearsal))


def session(rehearsal: Rehearsal) -> boto3.Session:
    """The SDK as anybody with the stand-in's keys would use it. Pass `endpoint_url` to each client."""
    keys = {name: value.reveal() for name, value in rehearsal.endpoints.credentials}
    return boto3.Session(
        keys["aws_access_key_id"], keys["aws_secret_access_key"], region_name=rehearsal.endpoints.region
    )
