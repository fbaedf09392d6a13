"""The common provider of the targets `gar` and `gcr`, which push images to Artifact Registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Generic, TypeVar

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.step import Kinds, Resource
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BuiltImage
from mldeploy.providers.base import Login
from mldeploy.providers.capabilities import DoctorCheck, Finding
from mldeploy.providers.gcp import checks
from mldeploy.providers.gcp.account import GcpProject
from mldeploy.providers.gcp.apis import REGISTRY_APIS
from mldeploy.providers.gcp.cloud import GcpCloud, create_artifact_client
from mldeploy.providers.gcp.permissions import PUSH_PERMISSIONS, build_role, unique_permissions
from mldeploy.providers.gcp.repositories import GCR_HOSTS, describe_repository, list_repositories, registry_access
from mldeploy.providers.gcp.repository import GarImage, GarRepository

S = TypeVar("S", bound=TargetSettings)


class ArtifactRegistryProvider(ABC, Generic[S]):
    """`mldeploy.providers.base.Provider` without the account and the repository."""

    name: str
    settings: type[TargetSettings]
    kinds: Kinds[GcpCloud]

    @abstractmethod
    def account(self, settings: S, endpoints: Endpoints) -> GcpProject:
        """Raises CredentialsError, ConfigError (no project, no region), GcpError."""

    @abstractmethod
    def repository(self, project: Project, settings: S) -> GarRepository:
        """The repository of the image."""

    @abstractmethod
    def inventory(self, cloud: GcpCloud, project: Project) -> Collection[Resource]: ...

    def connect(self, project: Project, settings: S, endpoints: Endpoints) -> GcpCloud:
        """Raises what `account` raises; EngineError if no engine answers."""
        account = self.account(settings, endpoints)
        id_ = self.repository(project, settings).id
        return GcpCloud(Engine.connect(), account, project.app.name, id_, self.name, create_artifact_client(account))

    def place(self, cloud: GcpCloud) -> tuple[str, ...]:
        return cloud.account.scope

    def login(self, cloud: GcpCloud) -> Login:
        """Credentials for all repositories of the location."""
        return registry_login(cloud)

    def push(self, project: Project, settings: S) -> GarImage:
        return GarImage(BuiltImage.of(project), self.repository(project, settings))

    def policy(self, cloud: GcpCloud) -> Mapping[str, object]:
        """`mldeploy.providers.capabilities.HasPolicy`: a custom role."""
        return build_role(PUSH_PERMISSIONS)

    def checks(self, project: Project, settings: S) -> Sequence[DoctorCheck]:
        """`mldeploy.providers.capabilities.Diagnosable`: credentials, the project, its APIs, the repository."""
        return (DoctorCheck(self.name, lambda: self.diagnose(project, settings, PUBLIC), checks.SECONDS),)

    def diagnose(self, project: Project, settings: S, endpoints: Endpoints) -> Iterator[Finding]:
        """The checks of `mldeploy doctor`. Read-only."""
        connect = partial(self.connect, project, settings, endpoints)
        return checks.check_target(
            connect, REGISTRY_APIS, unique_permissions(PUSH_PERMISSIONS.values()), lambda _: iter(())
        )


def registry_login(cloud: GcpCloud) -> Login:
    """The address is that of the app's repository, or of another one; the documented host if there is none."""
    repository = describe_repository(cloud, cloud.repository) or next(iter(list_repositories(cloud)), None)
    usual = cloud.repository if cloud.repository in GCR_HOSTS else f"{cloud.account.region}-docker.pkg.dev"
    address = repository.image_prefix.partition("/")[0] if repository else usual
    return Login(cloud.account.identity.user, cloud.account.scope, registry_access(cloud.account, address))
