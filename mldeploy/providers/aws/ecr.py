"""The target `ecr`: the registry of AWS. An image is brought there; nothing runs there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.graph import derive_kinds
from mldeploy.core.step import Key, Kinds, Resource
from mldeploy.image.engine import Engine
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.steps import BuiltImage, EngineImage
from mldeploy.providers.aws.account import AwsCloud, authenticate
from mldeploy.providers.aws.checks import SECONDS, check_account
from mldeploy.providers.aws.errors import aws_errors
from mldeploy.providers.aws.permissions import attach_commands, build_policy, policy_name
from mldeploy.providers.aws.repository import TARGET, EcrRepository, describe_repository, fetch_registry_access
from mldeploy.providers.aws.settings import AwsSettings, EcrSettings
from mldeploy.providers.aws.tags import missing_tags, owner_tags
from mldeploy.providers.base import Login
from mldeploy.providers.capabilities import DoctorCheck, PolicyKind, PolicyPart, PolicySet

KINDS: Kinds[AwsCloud] = derive_kinds(PushedImage, EcrRepository, EngineImage)


class EcrProvider:
    """`mldeploy.providers.base.Provider` for Amazon's Elastic Container Registry."""

    name = TARGET
    settings: type[TargetSettings] = EcrSettings
    kinds: Kinds[AwsCloud] = KINDS

    def connect(self, project: Project, settings: EcrSettings, endpoints: Endpoints) -> AwsCloud:
        """Raises CredentialsError, ConfigError (no region), AwsError; EngineError if no engine answers."""
        account = authenticate(f"target.{self.name}", settings, endpoints)
        return AwsCloud.of(Engine.connect(), account, project.app.name, repository_path(project, settings))

    def place(self, cloud: AwsCloud) -> tuple[str, ...]:
        return cloud.account.scope

    def login(self, cloud: AwsCloud) -> Login:
        """Fetches a token for the registry, which takes more than being known to AWS."""
        return Login(cloud.account.user, cloud.account.scope, fetch_registry_access(cloud.ecr))

    def push(self, project: Project, settings: EcrSettings) -> PushedImage:
        return pushed_image(project, settings)

    def inventory(self, cloud: AwsCloud, project: Project) -> Collection[Resource]:
        return [Resource(EcrRepository.kind, Key(path)) for path in list_repositories(cloud)]

    def policy(self, cloud: AwsCloud) -> Mapping[str, object]:
        """`mldeploy.providers.capabilities.HasPolicy`: an IAM policy."""
        return build_policy(cloud)

    policy_features: Sequence[str] = ()

    def policy_set(
        self, cloud: AwsCloud, project: Project, settings: EcrSettings, features: Collection[str]
    ) -> PolicySet:
        """`mldeploy.providers.capabilities.HasPolicySet`: the one policy."""
        document = build_policy(cloud)
        part = PolicyPart(policy_name(cloud, TARGET), PolicyKind.POLICY, "push images", document)
        return PolicySet((part,), document, attach_commands(cloud, [part]))

    def checks(self, project: Project, settings: EcrSettings) -> Sequence[DoctorCheck]:
        """`mldeploy.providers.capabilities.Diagnosable`: credentials, the registry, the repository."""
        return (DoctorCheck(self.name, lambda: check_account(self.name, project, settings, PUBLIC), SECONDS),)


def repository_path(project: Project, settings: AwsSettings) -> str:
    return settings.repository or project.app.name


def pushed_image(project: Project, settings: AwsSettings) -> PushedImage:
    """The app's image in its repository: what every target on AWS runs."""
    return PushedImage(BuiltImage.of(project), EcrRepository(repository_path(project, settings), settings.keep_images))


def list_repositories(cloud: AwsCloud) -> Collection[str]:
    """The paths of the app's repositories: the one that the settings name, and any other that bears our tags."""
    with aws_errors("AWS resources by tag", "tag"):
        pages = cloud.tagging.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": name, "Values": [value]} for name, value in owner_tags(cloud.app, TARGET).items()],
            ResourceTypeFilters=["ecr:repository"],
        )
        tagged = [each["ResourceARN"].partition("/")[2] for page in pages for each in page["ResourceTagMappingList"]]
    owned = [path for path in dict.fromkeys((cloud.repository, *tagged)) if _is_ours(cloud, path)]
    return tuple(owned)


def _is_ours(cloud: AwsCloud, path: str) -> bool:
    """The list of what is tagged may be a moment old."""
    repository = describe_repository(cloud.ecr, path)
    return repository is not None and not missing_tags(repository.tags, cloud.app, TARGET)


provider = EcrProvider()
