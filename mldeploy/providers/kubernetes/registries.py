"""Where the image of the target `kubernetes` is kept, and who we are to that registry."""

from __future__ import annotations

from docker import auth
from docker.errors import DockerException

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret
from mldeploy.image.registry.access import RegistryAccess, Repository
from mldeploy.image.registry.errors import DockerConfigError
from mldeploy.providers.kubernetes.settings import KubernetesSettings

HUB = "docker.io"
HUB_API = "registry-1.docker.io"
"""Docker Hub's names bear one host, and another one answers."""
TOKEN_USER = "<token>"  # noqa: S105 - a name, of what is no user
"""Docker's own word for an identity token, which is exchanged rather than sent as a password."""


def repository(app: str, settings: KubernetesSettings, endpoints: Endpoints) -> Repository:
    """The app's place in the registry that the settings name; a stand-in's own where they name none.

    Raises ConfigError if there is none.
    """
    given = dict(endpoints.services).get("registry", "")
    if settings.registry:
        host, _, path = settings.registry.partition("/")
        name = "/".join(filter(None, (host, path, app)))
        return Repository(name, lambda: _known(host) if host != given else _given(host, endpoints))
    if given:
        return Repository(f"{given}/{app}", lambda: _given(given, endpoints))
    what = "is missing: the cluster has to pull the image from somewhere"
    raise ConfigError("target.kubernetes.registry", what, 'Name a registry and a path: registry = "ghcr.io/my-team".')


def path_of(app: str, settings: KubernetesSettings) -> str:
    """The repository's path in its registry. Pure."""
    return "/".join(filter(None, (settings.registry.partition("/")[2], app)))


def _given(host: str, endpoints: Endpoints) -> RegistryAccess:
    user, password = endpoints.credential("registry_user"), endpoints.credential("registry_password")
    return RegistryAccess(host, user.reveal() if user else "", password or Secret(""))


def _known(host: str) -> RegistryAccess:
    """What `docker login` has left for this registry; nothing if that is nothing. Raises DockerConfigError."""
    address = HUB_API if host == HUB else host
    try:
        found = dict(auth.load_config().resolve_authconfig(host) or {})
    except DockerException as error:
        todo = "Repair the credential helper that Docker's config.json names, or log in anew."
        raise DockerConfigError(host, f"the credentials for it cannot be read: {error}", todo) from error
    user, password = str(found.get("username") or found.get("Username") or ""), found.get("password")
    if user == TOKEN_USER or found.get("identitytoken"):
        todo = "Log in with a password or an access token of the registry's."
        raise DockerConfigError(host, "Docker keeps an identity token for it, which no cluster can pull with", todo)
    return RegistryAccess(address, user, Secret(str(password or found.get("Password") or "")))
