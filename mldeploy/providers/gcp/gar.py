"""The target `gar`: Google's Artifact Registry. An image is brought there; nothing runs there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.errors import MldeployError
from mldeploy.core.step import Key, Resource, Step
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BaseImage, BuiltImage, EngineImage
from mldeploy.providers.base import Login, Provider
from mldeploy.providers.checks import Check, Finding, error
from mldeploy.providers.gcp import checks
from mldeploy.providers.gcp.account import enter
from mldeploy.providers.gcp.apis import REGISTRY_APIS
from mldeploy.providers.gcp.cloud import GcpCloud, artifacts
from mldeploy.providers.gcp.labels import foreign
from mldeploy.providers.gcp.permissions import PUSHING, named, policy
from mldeploy.providers.gcp.repositories import access, describe, listed
from mldeploy.providers.gcp.repository import TARGET, GarImage, GarRepository
from mldeploy.providers.gcp.settings import GarSettings
from mldeploy.providers.silent import NoService

TABLE = f"target.{TARGET}"
KINDS: Mapping[str, type[Step[GcpCloud, object]]] = MappingProxyType(
    {step.kind: step for step in (BaseImage, EngineImage, GarRepository, GarImage)}
)


class GarProvider:
    """`mldeploy.providers.base.Provider` for Google's Artifact Registry."""

    name = TARGET
    settings: type[TargetSettings] = GarSettings
    kinds: Mapping[str, type[Step[GcpCloud, object]]] = KINDS

    def connect(self, project: Project, settings: GarSettings, endpoints: Endpoints) -> GcpCloud:
        """Raises CredentialsError, ConfigError (no project, no region), GcpError; EngineError if no engine answers."""
        account = enter(TABLE, settings, endpoints, region=settings.region)
        id_ = settings.repository or project.app.name
        return GcpCloud(Engine.connect(), account, project.app.name, id_, TARGET, artifacts(account))

    def place(self, cloud: GcpCloud) -> tuple[str, ...]:
        return cloud.account.place

    def login(self, cloud: GcpCloud) -> Login:
        """A token is good for every repository of the place; the address is that of the app's, once it is there."""
        return login(cloud)

    def push(self, project: Project, settings: GarSettings) -> GarImage:
        return pushed_image(project, settings.repository, settings.keep_images)

    def goal(self, project: Project, settings: GarSettings) -> None:
        """A registry runs nothing."""

    def policy(self, cloud: GcpCloud) -> Mapping[str, object]:
        """`mldeploy.providers.policies.HasPolicy`: a custom role."""
        return policy(PUSHING)

    def inventory(self, cloud: GcpCloud, project: Project) -> Collection[Resource]:
        return inventory(cloud)

    def checks(self, project: Project, settings: GarSettings) -> Sequence[Check]:
        """`mldeploy.providers.checks.Diagnosable`: credentials, the project, its APIs, the repository."""
        return (Check(self.name, lambda: self.look(project, settings, PUBLIC), checks.SECONDS),)

    def look(self, project: Project, settings: GarSettings, endpoints: Endpoints) -> Iterator[Finding]:
        """What the doctor is told. Reads only."""
        try:
            cloud = self.connect(project, settings, endpoints)
        except MldeployError as problem:
            yield error("credentials", problem.what, problem.todo)
            return
        yield from checks.account(cloud.account, REGISTRY_APIS)
        yield from checks.permissions(cloud.account, named(PUSHING.values()))
        yield from checks.repository(cloud)

    def service(self, cloud: GcpCloud, project: Project, settings: GarSettings) -> NoService:
        return NoService(self.name)


def pushed_image(project: Project, repository: str, keep: int) -> GarImage:
    """The app's image in its repository: what every target on Google Cloud runs."""
    app = project.app.name
    return GarImage(BuiltImage.of(project), GarRepository(repository or app, app, keep))


def login(cloud: GcpCloud) -> Login:
    """The address is what a repository says, the app's or another; before there is any, what Google's manual has."""
    found = describe(cloud, cloud.repository) or next(iter(listed(cloud)), None)
    address = found.uri.partition("/")[0] if found else f"{cloud.account.region}-docker.pkg.dev"
    return Login(cloud.account.identity.user, cloud.account.place, access(cloud.account, address))


def inventory(cloud: GcpCloud) -> Collection[Resource]:
    """The app's repositories: the one that the settings name, and any other that bears our labels."""
    ours = [each for each in listed(cloud) if not foreign(each.labels, cloud.app, TARGET)]
    return [Resource(GarRepository.kind, Key(each.name.rpartition("/")[2])) for each in ours]


provider: Provider[GcpCloud, GarSettings] = GarProvider()
