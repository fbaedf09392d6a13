"""The clients of the target `kubernetes`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol

from docker import auth
from docker.errors import DockerException

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import CloudT_contra, Key, Outputs, Seen, Step
from mldeploy.image.cloud import HasEngine
from mldeploy.image.engine import Engine
from mldeploy.image.registry.access import ImageRepository, RegistryAccess
from mldeploy.image.registry.client import DockerConfigError
from mldeploy.image.registry.steps import RepositoryStep
from mldeploy.providers.kubernetes.api import KubeClient
from mldeploy.providers.kubernetes.errors import kubernetes_errors
from mldeploy.providers.kubernetes.labels import Owner
from mldeploy.providers.kubernetes.settings import KubernetesSettings


class HasCluster(HasEngine, Protocol):
    """What the steps in a cluster need from a target's cloud."""

    @property
    def owner(self) -> Owner:
        """The owner of all objects: the app, on this target."""

    def kube(self, cluster: tuple[str, ...]) -> KubeClient | None:
        """Return the cluster's API client for a removal; None if the cluster is certainly gone.

        cluster: the `scope` of the cluster's step. May send requests to the cloud. Raises MldeployError if unsure.
        """


class ClusterStep(Step[CloudT_contra, KubeClient], Generic[CloudT_contra]):
    """A cluster whose API server answers. The output is its client."""

    @property
    @abstractmethod
    def scope(self) -> tuple[str, ...]:
        """The first part of the keys of all objects in it; `HasCluster.kube` gets it back. Pure.

        Empty where the cloud has only one cluster.
        """


@dataclass(frozen=True)
class KubernetesCloud:
    """One cluster, for one app, and the engine that builds for it.

    context: the kubeconfig's context, "" without a kubeconfig. repository: the image's repository.
    """

    engine: Engine
    owner: Owner
    api: KubeClient
    space: str
    context: str
    repository: ImageRepository

    @property
    def place(self) -> tuple[str, ...]:
        """The server and the namespace."""
        return self.api.server.partition("://")[2], self.space

    def kube(self, cluster: tuple[str, ...]) -> KubeClient:
        """Return the only cluster's client."""
        return self.api


@dataclass(frozen=True, eq=False)
class ExistingCluster(ClusterStep[KubernetesCloud]):
    """The API server answers and accepts the credentials."""

    kind: ClassVar[str] = "kubernetes-cluster"
    title: ClassVar[str] = "Reach the cluster"
    stays: ClassVar[bool] = True

    @property
    def scope(self) -> tuple[str, ...]:
        return ()

    def key(self) -> Key:
        return Key("cluster")

    def probe(self, cloud: KubernetesCloud, outs: Outputs) -> Seen[KubeClient]:
        with kubernetes_errors(f"cluster {cloud.api.server}"):
            cloud.api.version()
        return Seen(cloud.api, ours=False)

    def apply(
        self, cloud: KubernetesCloud, outs: Outputs, seen: Seen[KubeClient] | None, monitor: Monitor
    ) -> KubeClient:
        return cloud.api

    @staticmethod
    def undo(cloud: KubernetesCloud, key: Key, monitor: Monitor) -> bool:
        """The cluster was not created by mldeploy: it stays."""
        return False


@dataclass(frozen=True, eq=False)
class ExistingRepository(RepositoryStep[KubernetesCloud]):
    """The repository that the settings name. The registry's owner, or the first push, creates it."""

    kind: ClassVar[str] = "registry-repository"
    title: ClassVar[str] = "Find the registry"
    stays: ClassVar[bool] = True

    path: str
    """The repository's path in its registry."""

    def key(self) -> Key:
        return Key(self.path)

    def probe(self, cloud: KubernetesCloud, outs: Outputs) -> Seen[ImageRepository]:
        return Seen(cloud.repository, ours=False)

    def apply(
        self, cloud: KubernetesCloud, outs: Outputs, seen: Seen[ImageRepository] | None, monitor: Monitor
    ) -> ImageRepository:
        return cloud.repository

    @staticmethod
    def undo(cloud: KubernetesCloud, key: Key, monitor: Monitor) -> bool:
        """The repository was not created by mldeploy: it stays. The image's step removes the images."""
        return False


HUB = "docker.io"
HUB_API = "registry-1.docker.io"
"""Docker Hub's image names have one host; its API has another."""
TOKEN_USER = "<token>"  # noqa: S105 - a placeholder, not a password
"""Docker's user name for an identity token, which is exchanged rather than sent as a password."""


def resolve_repository(app: str, settings: KubernetesSettings, endpoints: Endpoints) -> ImageRepository:
    """Return the app's repository in the configured registry, or in a stand-in's registry.

    Raises ConfigError without a registry.
    """
    given = dict(endpoints.services).get("registry", "")
    if settings.registry:
        host, _, path = settings.registry.partition("/")
        name = "/".join(filter(None, (host, path, app)))
        return ImageRepository(
            name, lambda: _docker_login_access(host) if host != given else _stand_in_access(host, endpoints)
        )
    if given:
        return ImageRepository(f"{given}/{app}", lambda: _stand_in_access(given, endpoints))
    what = "is missing: the cluster pulls the image from there"
    raise ConfigError("target.kubernetes.registry", what, 'Set a registry and a path: registry = "ghcr.io/my-team".')


def image_access(image: str, endpoints: Endpoints) -> RegistryAccess:
    """Return the credentials for the registry of an image, empty without any. Raises DockerConfigError."""
    host, _ = auth.resolve_repository_name(image.partition("@")[0])
    given = dict(endpoints.services).get("registry", "")
    return _stand_in_access(host, endpoints) if host == given else _docker_login_access(host)


def repository_path(app: str, settings: KubernetesSettings) -> str:
    """Return the repository's path in its registry. Pure."""
    return "/".join(filter(None, (settings.registry.partition("/")[2], app)))


def _stand_in_access(host: str, endpoints: Endpoints) -> RegistryAccess:
    user, password = endpoints.credential("registry_user"), endpoints.credential("registry_password")
    return RegistryAccess(host, user.reveal() if user else "", password or Secret(""))


def _docker_login_access(host: str) -> RegistryAccess:
    """Return the credentials from `docker login`, empty without any. Raises DockerConfigError."""
    address = HUB_API if host == HUB else host
    try:
        credentials = dict(auth.load_config().resolve_authconfig(host) or {})
    except DockerException as error:
        todo = "Repair the credential helper in Docker's config.json, or log in again."
        raise DockerConfigError(host, f"its credentials cannot be read: {error}", todo) from error
    user, password = str(credentials.get("username") or credentials.get("Username") or ""), credentials.get("password")
    if user == TOKEN_USER or credentials.get("identitytoken"):
        todo = "Log in with a password or an access token of the registry."
        raise DockerConfigError(host, "Docker has an identity token for it, and a cluster cannot pull with one", todo)
    return RegistryAccess(address, user, Secret(str(password or credentials.get("Password") or "")))
