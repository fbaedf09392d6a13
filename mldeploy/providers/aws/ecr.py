"""The target `ecr`: the registry of AWS. An image is brought there; nothing runs there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.step import Key, Resource, Step
from mldeploy.image.engine import Engine
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.steps import BaseImage, BuiltImage, EngineImage
from mldeploy.providers.aws.account import enter
from mldeploy.providers.aws.checks import SECONDS, look
from mldeploy.providers.aws.cloud import AwsCloud
from mldeploy.providers.aws.errors import aws_errors
from mldeploy.providers.aws.permissions import policy
from mldeploy.providers.aws.repositories import access, describe
from mldeploy.providers.aws.repository import TARGET, EcrRepository
from mldeploy.providers.aws.settings import AwsSettings, EcrSettings
from mldeploy.providers.aws.tags import belonging, foreign
from mldeploy.providers.base import Login, Provider
from mldeploy.providers.checks import Check
from mldeploy.providers.silent import NoService

KINDS: Mapping[str, type[Step[AwsCloud, object]]] = MappingProxyType(
    {step.kind: step for step in (BaseImage, EngineImage, EcrRepository, PushedImage)}
)


class EcrProvider:
    """`mldeploy.providers.base.Provider` for Amazon's Elastic Container Registry."""

    name = TARGET
    settings: type[TargetSettings] = EcrSettings
    kinds: Mapping[str, type[Step[AwsCloud, object]]] = KINDS

    def connect(self, project: Project, settings: EcrSettings, endpoints: Endpoints) -> AwsCloud:
        """Raises CredentialsError, ConfigError (no region), AwsError; EngineError if no engine answers."""
        account = enter(f"target.{self.name}", settings, endpoints)
        return AwsCloud.of(Engine.connect(), account, project.app.name, repository_path(project, settings))

    def place(self, cloud: AwsCloud) -> tuple[str, ...]:
        return cloud.account.place

    def login(self, cloud: AwsCloud) -> Login:
        """Fetches a token for the registry, which takes more than being known to AWS."""
        return Login(cloud.account.user, cloud.account.place, access(cloud.ecr))

    def push(self, project: Project, settings: EcrSettings) -> PushedImage:
        return pushed_image(project, settings)

    def goal(self, project: Project, settings: EcrSettings) -> None:
        """A registry runs nothing."""

    def inventory(self, cloud: AwsCloud, project: Project) -> Collection[Resource]:
        return [Resource(EcrRepository.kind, Key(path)) for path in repositories(cloud)]

    def policy(self, cloud: AwsCloud) -> Mapping[str, object]:
        """`mldeploy.providers.policies.HasPolicy`: an IAM policy."""
        return policy(cloud)

    def checks(self, project: Project, settings: EcrSettings) -> Sequence[Check]:
        """`mldeploy.providers.checks.Diagnosable`: credentials, the registry, the repository."""
        return (Check(self.name, lambda: look(self.name, project, settings, PUBLIC), SECONDS),)

    def service(self, cloud: AwsCloud, project: Project, settings: EcrSettings) -> NoService:
        return NoService(self.name)


def repository_path(project: Project, settings: AwsSettings) -> str:
    return settings.repository or project.app.name


def pushed_image(project: Project, settings: AwsSettings) -> PushedImage:
    """The app's image in its repository: what every target on AWS runs."""
    return PushedImage(BuiltImage.of(project), EcrRepository(repository_path(project, settings), settings.keep_images))


def repositories(cloud: AwsCloud) -> Collection[str]:
    """The paths of the app's repositories: the one that the settings name, and any other that bears our tags."""
    with aws_errors("AWS resources by tag", "tag"):
        pages = cloud.tagging.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": name, "Values": [value]} for name, value in belonging(cloud.app, TARGET).items()],
            ResourceTypeFilters=["ecr:repository"],
        )
        tagged = [each["ResourceARN"].partition("/")[2] for page in pages for each in page["ResourceTagMappingList"]]
    ours = [path for path in dict.fromkeys((cloud.repository, *tagged)) if _is_ours(cloud, path)]
    return tuple(ours)


def _is_ours(cloud: AwsCloud, path: str) -> bool:
    """The list of what is tagged may be a moment old."""
    found = describe(cloud.ecr, path)
    return found is not None and not foreign(found.tags, cloud.app, TARGET)


provider: Provider[AwsCloud, EcrSettings] = EcrProvider()
