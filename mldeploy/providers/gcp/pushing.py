"""What the targets `gar` and `gcr` have in common: an image is brought to Artifact Registry, and nothing runs there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Generic, TypeVar

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.step import Resource, Step
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BuiltImage
from mldeploy.providers.base import Login
from mldeploy.providers.checks import Check, Finding
from mldeploy.providers.gcp import checks
from mldeploy.providers.gcp.account import Account
from mldeploy.providers.gcp.apis import REGISTRY_APIS
from mldeploy.providers.gcp.cloud import GcpCloud, artifacts
from mldeploy.providers.gcp.permissions import PUSHING, named, policy
from mldeploy.providers.gcp.repositories import access, describe, listed
from mldeploy.providers.gcp.repository import GarImage, GarRepository
from mldeploy.providers.silent import NoService

S = TypeVar("S", bound=TargetSettings)


class ArtifactRegistry(ABC, Generic[S]):
    """`mldeploy.providers.base.Provider`, but for whose account it is and which repository."""

    name: str
    settings: type[TargetSettings]
    kinds: Mapping[str, type[Step[GcpCloud, object]]]

    @abstractmethod
    def account(self, settings: S, endpoints: Endpoints) -> Account:
        """Raises CredentialsError, ConfigError (no project, no region), GcpError."""

    @abstractmethod
    def repository(self, project: Project, settings: S) -> GarRepository:
        """The one that the image goes to."""

    @abstractmethod
    def inventory(self, cloud: GcpCloud, project: Project) -> Collection[Resource]: ...

    def connect(self, project: Project, settings: S, endpoints: Endpoints) -> GcpCloud:
        """Raises what `account` raises; EngineError if no engine answers."""
        account = self.account(settings, endpoints)
        id_ = self.repository(project, settings).id
        return GcpCloud(Engine.connect(), account, project.app.name, id_, self.name, artifacts(account))

    def place(self, cloud: GcpCloud) -> tuple[str, ...]:
        return cloud.account.place

    def login(self, cloud: GcpCloud) -> Login:
        """A token is good for every repository of the place; the address is that of the app's, once it is there."""
        return login(cloud)

    def push(self, project: Project, settings: S) -> GarImage:
        return GarImage(BuiltImage.of(project), self.repository(project, settings))

    def goal(self, project: Project, settings: S) -> None:
        """A registry runs nothing."""

    def policy(self, cloud: GcpCloud) -> Mapping[str, object]:
        """`mldeploy.providers.policies.HasPolicy`: a custom role."""
        return policy(PUSHING)

    def checks(self, project: Project, settings: S) -> Sequence[Check]:
        """`mldeploy.providers.checks.Diagnosable`: credentials, the project, its APIs, the repository."""
        return (Check(self.name, lambda: self.look(project, settings, PUBLIC), checks.SECONDS),)

    def look(self, project: Project, settings: S, endpoints: Endpoints) -> Iterator[Finding]:
        """What the doctor is told. Reads only."""
        connect = partial(self.connect, project, settings, endpoints)
        return checks.target(connect, REGISTRY_APIS, named(PUSHING.values()), lambda _: iter(()))

    def service(self, cloud: GcpCloud, project: Project, settings: S) -> NoService:
        return NoService(self.name)


def login(cloud: GcpCloud) -> Login:
    """The address is what a repository says, the app's or another; before there is any, what Google's manual has."""
    found = describe(cloud, cloud.repository) or next(iter(listed(cloud)), None)
    address = found.uri.partition("/")[0] if found else f"{cloud.account.region}-docker.pkg.dev"
    return Login(cloud.account.identity.user, cloud.account.place, access(cloud.account, address))
