"""The connection to the Docker Engine that the user's own `docker` command would talk to."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

import docker.utils
from docker import APIClient
from docker.constants import DEFAULT_UNIX_SOCKET
from docker.context import Context
from docker.context.config import get_current_context_name
from docker.errors import DockerException, InvalidConfigFile, TLSParameterError
from docker.tls import TLSConfig
from requests.exceptions import RequestException

from mldeploy.image.errors import EngineError, error_number, explanation

DEFAULT_ENDPOINT = DEFAULT_UNIX_SOCKET.replace("http+", "")
DEFAULT_CONTEXT = "default"


@dataclass(frozen=True)
class Engine:
    """A Docker Engine that has answered. endpoint: where, as `docker context inspect` would print it.

    The client may be used from several threads; a build or a log that streams occupies a connection of its own.
    """

    client: APIClient
    endpoint: str

    @classmethod
    def connect(cls) -> Engine:
        """Connect as the docker command does: DOCKER_HOST, then DOCKER_CONTEXT, then the config's current context.

        Raises EngineError: there is no such context, nothing answers, or the socket is not permitted.
        """
        endpoint = DEFAULT_ENDPOINT
        try:
            endpoint, tls = _endpoint()
            return cls(_client(endpoint, tls), endpoint)
        except TLSParameterError as error:
            raise EngineError(endpoint, f"its TLS settings are wrong: {error.msg}") from error
        except InvalidConfigFile as error:
            raise EngineError("Docker's config.json", f"cannot be used: {explanation(error)}") from error
        except (DockerException, RequestException, OSError, ValueError) as error:
            raise _unreachable(endpoint, error) from error

    def another_client(self) -> APIClient:
        """A client of its own for one long call; whoever asks for it closes it. Raises as `connect` does."""
        return Engine.connect().client


class _Client(APIClient):
    """Learns the engine's API version from a ping, which takes it less than a tenth of the time of `/version`.

    The SDK has no public way to say so; one whose constructor no longer asks here asks in its own way.
    """

    def _retrieve_server_version(self) -> str:
        try:
            answer = self.get(f"{self.base_url}/_ping", timeout=self.timeout)
        except RequestException as error:
            raise DockerException(f"Error while asking for the API version: {error}") from error
        told = answer.headers.get("Api-Version") if answer.ok else None
        return told or str(super()._retrieve_server_version())  # type: ignore[misc]  # the stubs leave it out


def _client(endpoint: str, tls: TLSConfig | None) -> APIClient:
    return _Client(endpoint, tls=tls or False, use_ssh_client=True)


def _endpoint() -> tuple[str, TLSConfig | None]:
    if os.environ.get("DOCKER_HOST"):
        settings = docker.utils.kwargs_from_env()
        return str(settings["base_url"]), settings.get("tls")
    name = context_name()
    if name == DEFAULT_CONTEXT:
        return DEFAULT_ENDPOINT, None
    context = Context.load_context(name)
    if context is None:
        todo = "`docker context ls` lists those that exist; `docker context use default` goes back to the usual one."
        raise EngineError(f"Docker context {name!r}", "does not exist", todo)
    return context.Host or DEFAULT_ENDPOINT, context.TLSConfig


def context_name() -> str:
    """The Docker context that is in force. DOCKER_HOST stands above every context, and belongs to the usual one."""
    if os.environ.get("DOCKER_HOST"):
        return DEFAULT_CONTEXT
    return os.environ.get("DOCKER_CONTEXT") or str(get_current_context_name())


def _unreachable(endpoint: str, error: Exception) -> EngineError:
    number = error_number(error)
    if number in (errno.EACCES, errno.EPERM):
        todo = (
            "Join the group that may: `sudo usermod -aG docker $USER`, then log in again. Or use a rootless engine "
            "and name it in DOCKER_HOST."
        )
        return EngineError(endpoint, "you may not use the Docker Engine's socket", todo)
    if number in (errno.ENOENT, errno.ECONNREFUSED):
        todo = "Start it (Docker Desktop, or `sudo systemctl start docker`), or name another one in DOCKER_HOST."
        return EngineError(endpoint, "no Docker Engine answers there", todo)
    if endpoint.startswith("ssh://") and "paramiko" in str(error):
        todo = "Install it beside mldeploy: `pip install 'docker[ssh]'`."
        return EngineError(endpoint, "an engine behind SSH needs the package paramiko", todo)
    todo = "`docker version` shows whether the engine answers to the docker command."
    return EngineError(endpoint, f"no Docker Engine answers there ({explanation(error)})", todo)
