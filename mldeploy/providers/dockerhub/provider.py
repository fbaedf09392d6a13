"""The target `dockerhub`: Docker's own registry. An image is brought there; nothing runs there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.step import Key, Resource, Step
from mldeploy.image.engine import Engine
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.steps import BaseImage, BuiltImage, EngineImage
from mldeploy.providers.base import Login, Provider
from mldeploy.providers.checks import Check
from mldeploy.providers.dockerhub.account import enter
from mldeploy.providers.dockerhub.checks import SECONDS, look
from mldeploy.providers.dockerhub.cloud import HubCloud
from mldeploy.providers.dockerhub.marker import foreign
from mldeploy.providers.dockerhub.permissions import policy
from mldeploy.providers.dockerhub.repositories import describe, listed
from mldeploy.providers.dockerhub.repository import HubImage, HubRepository, PublicHubRepository
from mldeploy.providers.dockerhub.settings import TARGET, DockerHubSettings, repository_name
from mldeploy.providers.silent import NoService

KINDS: Mapping[str, type[Step[HubCloud, object]]] = MappingProxyType(
    {step.kind: step for step in (BaseImage, EngineImage, HubRepository, HubImage)}
)


class DockerHubProvider:
    """`mldeploy.providers.base.Provider` for Docker Hub."""

    name = TARGET
    settings: type[TargetSettings] = DockerHubSettings
    kinds: Mapping[str, type[Step[HubCloud, object]]] = KINDS

    def connect(self, project: Project, settings: DockerHubSettings, endpoints: Endpoints) -> HubCloud:
        """Raises CredentialsError, ConfigError, HubError; EngineError if no engine answers."""
        repository = repository_name(project, settings)
        account = enter(settings, endpoints)
        return HubCloud(Engine.connect(), account, project.app.name, repository)

    def place(self, cloud: HubCloud) -> tuple[str, ...]:
        return cloud.account.place

    def login(self, cloud: HubCloud) -> Login:
        """The registry's own server for tokens is asked, too. The address is what Docker's configuration calls it."""
        account = cloud.account
        account.hub.granted(cloud.path(cloud.repository))
        access = RegistryAccess(account.index, account.hub.user, account.hub.token)
        return Login(account.hub.user, account.place, access)

    def push(self, project: Project, settings: DockerHubSettings) -> HubImage:
        repository = HubRepository if settings.private else PublicHubRepository
        made = repository(repository_name(project, settings), project.app.name)
        return HubImage(BuiltImage.of(project), made, settings.keep_images)

    def goal(self, project: Project, settings: DockerHubSettings) -> None:
        """A registry runs nothing."""

    def inventory(self, cloud: HubCloud, project: Project) -> Collection[Resource]:
        """The one that the settings name, and any other of the namespace that is marked as the app's."""
        found = {each.name: each for each in listed(cloud.account)}
        if cloud.repository not in found and (own := describe(cloud.account, cloud.repository)):
            found[own.name] = own
        ours = [each.name for each in found.values() if not foreign(each.description, cloud.app)]
        return [Resource(HubRepository.kind, Key(name)) for name in ours]

    def policy(self, cloud: HubCloud) -> Mapping[str, object]:
        """`mldeploy.providers.policies.HasPolicy`: an access token."""
        return policy(cloud.app)

    def checks(self, project: Project, settings: DockerHubSettings) -> Sequence[Check]:
        """`mldeploy.providers.checks.Diagnosable`: credentials, token, repository, pulls."""
        return (Check(self.name, lambda: look(project, settings, PUBLIC), SECONDS),)

    def service(self, cloud: HubCloud, project: Project, settings: DockerHubSettings) -> NoService:
        return NoService(self.name)


provider: Provider[HubCloud, DockerHubSettings] = DockerHubProvider()
