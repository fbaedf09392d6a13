"""An app and the target `ecr`, walked in this process, with everything that is told and asked on the way."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.events import Progress, Progressed
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.aws.ecr import EcrProvider
from mldeploy.providers.registry import AnyProvider
from tests.aws.stage import session
from tests.cli.command import Command
from tests.shop import RegistryShop

if TYPE_CHECKING:
    from types_boto3_ecr import ECRClient


@dataclass
class Shop(RegistryShop):
    """On `ecr`."""

    provider: ClassVar[AnyProvider] = EcrProvider()

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
        place = self.rehearsal.endpoints
        keys = {name.upper(): value.reveal() for name, value in place.credentials}
        docker = {"DOCKER_CONFIG": str(home / "docker"), "DOCKER_HOST": os.environ.get("DOCKER_HOST", "")}
        return Command(self.state.parent / "home", self.folder).with_env(
            AWS_ENDPOINT_URL=place.url, AWS_REGION=place.region, **keys, **docker
        )
