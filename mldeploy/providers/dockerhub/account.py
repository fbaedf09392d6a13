"""Whose namespace, and how Docker Hub and its registry are reached."""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.image.engine import Engine
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.dockerhub.client import HubClient
from mldeploy.providers.dockerhub.credentials import find_credentials
from mldeploy.providers.dockerhub.settings import TARGET, DockerHubSettings, is_name

IMAGE_HOST, REGISTRY, INDEX = "docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"
"""Docker Hub's registry: in the names of images, on the wire, and in Docker's configuration."""


@dataclass(frozen=True)
class HubAccount:
    """Credentials that Docker Hub has accepted. shown, registry, index: as above, or the same address of a stand-in."""

    namespace: str
    client: HubClient
    image_host: str = IMAGE_HOST
    registry: str = REGISTRY
    index: str = INDEX

    @property
    def scope(self) -> tuple[str, ...]:
        return (self.namespace,)

    def access(self) -> RegistryAccess:
        """To the registry, which gives out short-lived tokens for it by itself. Makes no call."""
        return RegistryAccess(self.registry, self.client.user, self.client.token)


def authenticate(settings: DockerHubSettings, endpoints: Endpoints) -> HubAccount:
    """Find the credentials and prove them: one call. Raises CredentialsError, ConfigError, HubError."""
    credentials = find_credentials(endpoints)
    namespace = settings.namespace or _derive_namespace(credentials.user)
    client = HubClient(credentials, endpoints)
    client.verify_credentials()
    stand_in_registry = dict(endpoints.services).get("registry")
    return (
        HubAccount(namespace, client, stand_in_registry, stand_in_registry, stand_in_registry)
        if stand_in_registry
        else HubAccount(namespace, client)
    )


def _derive_namespace(user: str) -> str:
    if is_name(user.lower()):
        return user.lower()
    what = f"{user} is no name of a user, so that it does not say whose repository it is"
    raise ConfigError(f"target.{TARGET}.namespace", what, 'Say it: namespace = "…" in [target.dockerhub].')


@dataclass(frozen=True)
class HubCloud:
    """A namespace, for one app, and the engine that builds for it. repository: the app's, by its name there."""

    engine: Engine
    account: HubAccount
    app: str
    repository: str

    def path(self, repository: str) -> str:
        """What the registry calls it."""
        return f"{self.account.namespace}/{repository}"
