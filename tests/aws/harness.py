"""An app and the target `ecr`, deployed in this process, with every event and call."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from mldeploy.core.events import Progress, Progressed
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.aws.ecr import EcrProvider
from tests.cli.command import Command
from tests.shop import RegistryProvider, RegistryShop

if TYPE_CHECKING:
    from types_boto3_ecr import ECRClient
from collections.abc import Callable, Sequence

import boto3

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.providers.capabilities import HasPolicySet, PolicyKind, PolicyPart
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
    """strangers: makes, with a session of the stand-in's, what is not ours.

    project: everything is done by a user who has exactly what `mldeploy policy` prints for it.
    """

    strangers: Callable[[Rehearsal, boto3.Session], None]
    project: Project | None = None
    _users: list[Endpoints] = field(default_factory=list)

    @property
    def endpoints(self) -> Endpoints:
        return self._users[-1] if self._users else self.rehearsal.endpoints

    def reset(self) -> None:
        super().reset()
        if self.project:
            self._users.append(create_user(self.rehearsal, self.list_policies(self.project)))

    def list_policies(self, project: Project) -> tuple[PolicyPart, ...]:
        cloud = self.provider.connect(project, self.settings, self.rehearsal.endpoints)
        return list_policies(self.provider, cloud, project, self.settings)

    def add_foreign(self) -> None:
        self.strangers(self.rehearsal, session(self.rehearsal))


def list_policies(
    provider: object, cloud: object, project: Project, settings: TargetSettings, features: Sequence[str] = ()
) -> tuple[PolicyPart, ...]:
    """What `mldeploy policy` has attached."""
    assert isinstance(provider, HasPolicySet)
    parts = provider.policy_set(cloud, project, settings, features).parts
    return tuple(each for each in parts if each.kind is PolicyKind.POLICY)


def create_user(rehearsal: Rehearsal, policies: Sequence[PolicyPart], name: str = "deployer") -> Endpoints:
    """What an administrator does with the documents. Returns the stand-in with the user's keys."""
    iam = session(rehearsal).client("iam", endpoint_url=rehearsal.endpoints.url)
    iam.create_user(UserName=name)
    for each in policies:
        policy = iam.create_policy(PolicyName=each.name, PolicyDocument=json.dumps(each.document, indent=2))["Policy"]
        iam.attach_user_policy(UserName=name, PolicyArn=policy["Arn"])
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    return replace(rehearsal.endpoints, credentials=tuple((each, Secret(value)) for each, value in keys.items()))


def list_actions(policies: Sequence[PolicyPart]) -> set[str]:
    """All actions that documents allow."""
    documents = [json.loads(json.dumps(each.document)) for each in policies]
    return {action for document in documents for statement in document["Statement"] for action in statement["Action"]}


def session(rehearsal: Rehearsal) -> boto3.Session:
    """The SDK as anybody with the stand-in's keys would use it. Pass `endpoint_url` to each client."""
    keys = {name: value.reveal() for name, value in rehearsal.endpoints.credentials}
    return boto3.Session(
        keys["aws_access_key_id"], keys["aws_secret_access_key"], region_name=rehearsal.endpoints.region
    )
