"""The target `dockerhub`: Docker's own registry. An image is brought there; nothing runs there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.graph import derive_kinds
from mldeploy.core.step import Key, Kinds, Resource
from mldeploy.image.engine import Engine
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.steps import BuiltImage, EngineImage
from mldeploy.providers.base import Login
from mldeploy.providers.capabilities import DoctorCheck
from mldeploy.providers.dockerhub.account import HubCloud, authenticate
from mldeploy.providers.dockerhub.checks import SECONDS, build_policy, check_target
from mldeploy.providers.dockerhub.repository import HubImage, HubRepository, PublicHubRepository
from mldeploy.providers.dockerhub.repository_api import describe_repository, list_repositories, missing_labels
from mldeploy.providers.dockerhub.settings import TARGET, DockerHubSettings, repository_name

KINDS: Kinds[HubCloud] = derive_kinds(HubImage, HubRepository, EngineImage)


class DockerHubProvider:
    """`mldeploy.providers.base.Provider` for Docker Hub."""

    name = TARGET
    settings: type[TargetSettings] = DockerHubSettings
    kinds: Kinds[HubCloud] = KINDS

    def connect(self, project: Project, settings: DockerHubSettings, endpoints: Endpoints) -> HubCloud:
        """Raises CredentialsError, ConfigError, HubError; EngineError if no engine answers."""
        repository = repository_name(project, settings)
        account = authenticate(settings, endpoints)
        return HubCloud(Engine.connect(), account, project.app.name, repository)

    def place(self, cloud: HubCloud) -> tuple[str, ...]:
        return cloud.account.scope

    def login(self, cloud: HubCloud) -> Login:
        """Also requests a registry token. The address is the one that Docker's configuration uses."""
        account = cloud.account
        account.client.list_granted_actions(cloud.path(cloud.repository))
        access = RegistryAccess(account.index, account.client.user, account.client.token)
        return Login(account.client.user, account.scope, access)

    def push(self, project: Project, settings: DockerHubSettings) -> HubImage:
        repository = HubRepository if settings.private else PublicHubRepository
        made = repository(repository_name(project, settings), project.app.name)
        return HubImage(BuiltImage.of(project), made, settings.keep_images)

    def inventory(self, cloud: HubCloud, project: Project) -> Collection[Resource]:
        """The one that the settings name, and any other of the namespace that is marked as the app's."""
        repositories = {each.name: each for each in list_repositories(cloud.account)}
        if cloud.repository not in repositories and (
            repository := describe_repository(cloud.account, cloud.repository)
        ):
            repositories[repository.name] = repository
        owned = [each.name for each in repositories.values() if not missing_labels(each.description, cloud.app)]
        return [Resource(HubRepository.kind, Key(name)) for name in owned]

    def policy(self, cloud: HubCloud) -> Mapping[str, object]:
        """`mldeploy.providers.capabilities.HasPolicy`: an access token."""
        return build_policy(cloud.app)

    def checks(self, project: Project, settings: DockerHubSettings) -> Sequence[DoctorCheck]:
        """`mldeploy.providers.capabilities.Diagnosable`: credentials, token, repository, pulls."""
        return (DoctorCheck(self.name, lambda: check_target(project, settings, PUBLIC), SECONDS),)


provider = DockerHubProvider()
