"""Whose namespace, and how Docker Hub and its registry are reached."""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.dockerhub.credentials import find
from mldeploy.providers.dockerhub.hub import Hub
from mldeploy.providers.dockerhub.settings import TARGET, DockerHubSettings, is_name

SHOWN, REGISTRY, INDEX = "docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"
"""Docker Hub's registry: in the names of images, on the wire, and in Docker's configuration."""


@dataclass(frozen=True)
class Account:
    """Credentials that Docker Hub has accepted. shown, registry, index: as above, or the same address of a stand-in."""

    namespace: str
    hub: Hub
    shown: str = SHOWN
    registry: str = REGISTRY
    index: str = INDEX

    @property
    def place(self) -> tuple[str, ...]:
        return (self.namespace,)

    def access(self) -> RegistryAccess:
        """To the registry, which gives out short-lived tokens for it by itself. Makes no call."""
        return RegistryAccess(self.registry, self.hub.user, self.hub.token)


def enter(settings: DockerHubSettings, endpoints: Endpoints) -> Account:
    """Find the credentials and prove them: one call. Raises CredentialsError, ConfigError, HubError."""
    credentials = find(endpoints)
    namespace = settings.namespace or _namespace_of(credentials.user)
    hub = Hub(credentials, endpoints)
    hub.prove()
    played = dict(endpoints.services).get("registry")
    return Account(namespace, hub, played, played, played) if played else Account(namespace, hub)


def _namespace_of(user: str) -> str:
    if is_name(user.lower()):
        return user.lower()
    what = f"{user} is no name of a user, so that it does not say whose repository it is"
    raise ConfigError(f"target.{TARGET}.namespace", what, 'Say it: namespace = "…" in [target.dockerhub].')
