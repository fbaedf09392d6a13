"""The connection to the Docker Engine that the user's own `docker` command would talk to."""

from __future__ import annotations

import errno
import os
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import docker.utils
from docker import APIClient
from docker.auth import decode_auth
from docker.constants import DEFAULT_TIMEOUT_SECONDS, DEFAULT_UNIX_SOCKET
from docker.context import Context
from docker.context.config import get_current_context_name
from docker.errors import DockerException, InvalidConfigFile, TLSParameterError
from docker.tls import TLSConfig
from docker.utils.config import find_config_file
from requests import PreparedRequest
from requests.exceptions import RequestException

from mldeploy.core.files import UnreadableError, read_text
from mldeploy.core.parsing import NestingError, parse_json
from mldeploy.image.errors import BuildError, EngineError, engine_errors, error_number, explain_error

DEFAULT_ENDPOINT = DEFAULT_UNIX_SOCKET.replace("http+", "")
DEFAULT_CONTEXT = "default"
EXEC_END_SECONDS = 30.0


@dataclass(frozen=True)
class Engine:
    """A Docker Engine that has answered. endpoint: where, as `docker context inspect` would print it.

    The client may be used from several threads; a build or a log that streams occupies a connection of its own.
    """

    client: APIClient
    endpoint: str

    @classmethod
    def connect(cls, seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Engine:
        """Connect as the docker command does: DOCKER_HOST, then DOCKER_CONTEXT, then the config's current context.

        seconds: for each answer of the engine.

        Raises EngineError: there is no such context, nothing answers, the socket is not permitted, or Docker's
        configuration cannot be used.
        """
        endpoint = DEFAULT_ENDPOINT
        _check_docker_config()
        try:
            endpoint, tls = _endpoint()
            return cls(_client(endpoint, tls, seconds), endpoint)
        except TLSParameterError as error:
            raise EngineError(endpoint, f"its TLS settings are wrong: {error.msg}") from error
        except InvalidConfigFile as error:
            raise EngineError("Docker's config.json", f"cannot be used: {explain_error(error)}") from error
        except (DockerException, RequestException, OSError, ValueError) as error:
            raise _unreachable(endpoint, error) from error

    def another_client(self) -> APIClient:
        """Return a new client for one long call; the caller closes it. Raises as `connect` does."""
        return Engine.connect().client


def await_exec(client: APIClient, program: str) -> int:
    """Return the exit status of a program in a container whose output has ended: the engine learns it a moment later.

    Raises DockerException if the container is gone; EngineError if the program still runs after 30 s.
    """
    deadline = time.monotonic() + EXEC_END_SECONDS
    while (state := client.exec_inspect(program))["Running"] or state["ExitCode"] is None:
        if time.monotonic() > deadline:
            raise EngineError(program[:12], "the program in the container has closed its output, but still runs")
        time.sleep(0.02)
    return int(state["ExitCode"])


class _Client(APIClient):
    """Reads the API version from `/_ping`, ten times as fast as `/version`. The SDK has no public API for it."""

    def _retrieve_server_version(self) -> str:
        self.auth = _without_netrc  # an engine has no password, and requests would read a netrc file of any kind
        try:
            answer = self.get(f"{self.base_url}/_ping", timeout=self.timeout)
        except RequestException as error:
            raise DockerException(f"Error while reading the API version: {error}") from error
        version = answer.headers.get("Api-Version") if answer.ok else None
        return version or str(super()._retrieve_server_version())  # type: ignore[misc]  # the stubs leave it out


def _without_netrc(request: PreparedRequest) -> PreparedRequest:
    return request


_CONFIG_TABLES = {"auths": True, "credHelpers": False, "HttpHeaders": False, "proxies": True}
"""Tables of Docker's configuration that the SDK reads, and whether each of their values is a table, too."""


def _check_docker_config() -> None:
    """Raise EngineError for a configuration that the SDK would wait for, or fail over without saying why.

    A file that is no JSON is ignored, as the docker command does. Standard: docker/cli, cli/config/configfile/file.go.
    """
    config_file = find_config_file()
    if not config_file:
        return
    path = Path(str(config_file))
    todo = f"Correct {path}, or move it away."
    try:
        config = parse_json(read_text(path, encoding="utf-8"))
    except (NestingError, UnreadableError) as error:
        raise EngineError("Docker's config.json", f"cannot be used: {error}", todo) from error
    except (FileNotFoundError, ValueError):
        return
    if not isinstance(config, dict) or not all(
        _is_table(config.get(key) or {}, of_tables=of_tables) for key, of_tables in _CONFIG_TABLES.items()
    ):
        raise EngineError("Docker's config.json", "cannot be used: a part of it has another form than Docker's", todo)


def _is_table(value: object, *, of_tables: bool) -> bool:
    if not isinstance(value, dict):
        return False
    entries = value.values() if of_tables else ()
    return all(isinstance(each, dict) and _is_readable(each.get("auth")) for each in entries)


def _is_readable(credentials: object) -> bool:
    """Whether the SDK can decode the base64 of `user:password`."""
    if not isinstance(credentials, str):
        return credentials is None
    try:
        decode_auth(credentials)
    except ValueError:
        return False
    return True


def _client(endpoint: str, tls: TLSConfig | None, seconds: float) -> APIClient:
    return _Client(endpoint, tls=tls or False, use_ssh_client=True, timeout=seconds)  # type: ignore[arg-type]  # requests takes parts of a second, too


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


def configured_endpoint() -> str:
    """Return where `Engine.connect` would look for the engine. Raises EngineError, or an error of the Docker SDK."""
    return _endpoint()[0]


def context_name() -> str:
    """Return the active Docker context. DOCKER_HOST takes precedence and belongs to the default context."""
    if os.environ.get("DOCKER_HOST"):
        return DEFAULT_CONTEXT
    return os.environ.get("DOCKER_CONTEXT") or str(get_current_context_name())


def _unreachable(endpoint: str, error: Exception) -> EngineError:
    number = error_number(error)
    if number in (errno.EACCES, errno.EPERM):
        todo = (
            "Add your user to the docker group: `sudo usermod -aG docker $USER`, then log in again. Or use a rootless "
            "engine and name it in DOCKER_HOST."
        )
        return EngineError(endpoint, "permission denied for the Docker Engine's socket", todo)
    if number in (errno.ENOENT, errno.ECONNREFUSED):
        todo = "Start it (Docker Desktop, or `sudo systemctl start docker`), or name another one in DOCKER_HOST."
        return EngineError(endpoint, "no Docker Engine answers there", todo)
    if endpoint.startswith("ssh://") and "paramiko" in str(error):
        todo = "Run `pip install 'docker[ssh]'`."
        return EngineError(
            endpoint, "the packages for a Docker Engine over SSH are not installed (paramiko is missing)", todo
        )
    todo = "`docker version` shows whether the engine answers to the docker command."
    return EngineError(endpoint, f"no Docker Engine answers there ({explain_error(error)})", todo)


BINFMT = Path("/proc/sys/fs/binfmt_misc")

_QEMU = {"amd64": "x86_64", "arm64": "aarch64", "386": "i386"}
"""Where QEMU's name of a processor is not Go's, which OCI uses."""
_RELATED = {("amd64", "386"), ("arm64", "arm")}
"""The second one's programs run on most of the first."""


def require_emulation(engine: Engine, platform: str) -> None:
    """Raise BuildError if it is certain that the engine cannot run programs for `platform` ("linux/arm64").

    Without this, the classic builder would build for its own processor and say nothing. A remote engine
    is not checked. Raises EngineError.
    """
    with engine_errors(engine.endpoint):
        version = engine.client.version(api_version=False)
        own = f"{version.get('Os', 'linux')}/{version.get('Arch', '')}"
        if is_native(own, platform) or not _is_here(engine) or is_registered(platform):
            return
    what = f"{platform} is not the engine's own processor ({own}), and the engine does not emulate it"
    raise BuildError("build.platform", what, f"Build for {own}, or {remedy(platform)}.")


def remedy(platform: str) -> str:
    """Return how to enable the emulation of a platform."""
    return (
        f"let the engine emulate it: `docker run --privileged --rm tonistiigi/binfmt --install {processor(platform)}`"
    )


def is_native(own: str, other: str) -> bool:
    """Whether a machine of one platform runs programs of the other natively."""
    return processor(own) == processor(other) or (processor(own), processor(other)) in _RELATED


def processor(platform: str) -> str:
    """ "arm64" of "linux/arm64/v8"."""
    return platform.split("/")[1] if "/" in platform else platform


def is_registered(platform: str) -> bool:
    """Whether an interpreter is enabled with the flag F, which makes it available in containers.

    https://docs.kernel.org/admin-guide/binfmt-misc.html
    """
    name = processor(platform)
    try:
        entry = (BINFMT / f"qemu-{_QEMU.get(name, name)}").read_text()
    except OSError:
        return False
    return entry.startswith("enabled") and re.search(r"^flags:.*F", entry, re.MULTILINE) is not None


def _is_here(engine: Engine) -> bool:
    """Whether the engine runs on this machine's kernel, not in a virtual machine."""
    return engine.endpoint.startswith("unix://") and engine.client.info().get("Name") == socket.gethostname()
