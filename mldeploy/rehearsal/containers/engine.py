"""`Host` on the local Docker Engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from docker import APIClient
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from mldeploy.image.engine import Engine, await_exec
from mldeploy.image.errors import EngineError, explain_error
from mldeploy.rehearsal.containers.exec_session import ExecSession
from mldeploy.rehearsal.containers.host import (
    CPU_UNITS_PER_CORE,
    ContainerExit,
    ContainerHostError,
    ExecResult,
    HealthCheck,
    HostContainer,
    LaunchSpec,
    PulledImage,
)
from mldeploy.rehearsal.orphans import OWNER, PATIENCE_SECONDS, owner_label

if TYPE_CHECKING:
    import socket
import threading


class EngineHost:
    """The local engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def connect(cls) -> EngineHost:
        """Connect to the engine, and be patient with it. Raises EngineError."""
        return cls(Engine.connect(PATIENCE_SECONDS))

    def pull(self, image: str, user: str, password: str) -> PulledImage:
        client = self._engine.client
        repository, _, digest = image.partition("@")
        with _host_errors():
            events = client.pull(
                repository,
                tag=digest or (None if ":" in repository.rpartition("/")[2] else "latest"),
                auth_config={"username": user, "password": password},
                stream=True,
                decode=True,
            )
            for event in events:
                if "error" in event:
                    raise ContainerHostError(event["error"])
            inspected = client.inspect_image(image)
        digests = [name.partition("@")[2] for name in inspected["RepoDigests"]]
        user = str((inspected.get("Config") or {}).get("User") or "")
        return PulledImage(digest or (digests[0] if digests else ""), inspected["Architecture"], user)

    def start(self, launch: LaunchSpec) -> HostContainer:
        client = self._engine.client
        with _host_errors():
            created = client.create_container(
                launch.image,
                command=list(launch.command) if launch.command else None,
                entrypoint=list(launch.entrypoint) if launch.entrypoint else None,
                labels={**launch.labels, OWNER: owner_label()},
                environment=dict(launch.environment),
                working_dir=launch.folder,
                stdin_open=launch.stdin,
                tty=launch.tty,
                user=launch.user,
                healthcheck=_healthcheck(launch.health),
                host_config=_host_config(client, launch),
            )
            container = EngineContainer(self._engine, created["Id"], tty=launch.tty)
            try:
                client.start(container.id)
                container.look()
            except BaseException:
                container.remove()
                raise
        return container


class EngineContainer:
    """A container on the local engine."""

    def __init__(self, engine: Engine, identity: str, *, tty: bool = False) -> None:
        self._engine = engine
        self._tty = tty
        self.id = identity
        self.address = ""

    def look(self) -> None:
        """Read its address, which it has while it runs."""
        networks = self._engine.client.inspect_container(self.id)["NetworkSettings"]["Networks"]
        self.address = next((network["IPAddress"] for network in networks.values()), "")

    def health(self) -> str:
        try:
            state = self._engine.client.inspect_container(self.id)["State"]
        except (DockerException, RequestException):
            return "UNKNOWN"
        if not state["Running"]:  # the engine reports an ended container as unhealthy
            return "UNKNOWN"
        status = (state.get("Health") or {}).get("Status", "none")
        return {"healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}.get(status, "UNKNOWN")

    def wait(self) -> ContainerExit:
        try:
            with self._client_without_timeout() as client:
                client.wait(self.id)
            state = self._engine.client.inspect_container(self.id)["State"]
            return ContainerExit(int(state["ExitCode"]), bool(state.get("OOMKilled")))
        except (DockerException, RequestException, HTTPError):
            return ContainerExit(137)  # the container was removed

    def logs(self) -> Iterator[bytes]:
        """Follow the log to the last line, also where the engine ends the stream early.

        Docker 20.10 reads the log file, then checks whether the log is closed, and drops lines written in between. The
        file is complete after the container's end, so missing lines are read from it then.
        """
        count = 0
        for line in self._read_lines(follow=True):
            count += 1
            yield line.removesuffix(b"\n")
        self.wait()
        for line in islice(self._read_lines(follow=False), count, None):
            yield line.removesuffix(b"\n")

    def _read_lines(self, *, follow: bool) -> Iterator[bytes]:
        """Lines with their line ends. A last line without one is only yielded if not following."""
        with (
            suppress(DockerException, EngineError, RequestException, HTTPError),
            self._client_without_timeout() as client,
        ):
            rest = b""
            for chunk in client.logs(self.id, stream=True, follow=follow):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line + b"\n" for line in lines)
            if rest and not follow:
                yield rest

    def execute(self, command: Sequence[str]) -> ExecResult:
        with _host_errors(), self._client_without_timeout() as client:
            created = client.exec_create(self.id, list(command))
            out, err = client.exec_start(created["Id"], demux=True)
            code = await_exec(client, created["Id"])
        output = (out or err or b"").decode(errors="replace")
        if code in (126, 127) and "OCI runtime exec failed" in output:
            raise ContainerHostError(output)
        return ExecResult(code, out or b"", err or b"")

    def open_exec(self, command: Sequence[str], *, tty: bool) -> ExecSession:
        client = self._engine.another_client()
        with _host_errors():
            created = client.exec_create(self.id, list(command), stdin=True, tty=tty)["Id"]
            stream = client.exec_start(created, tty=tty, socket=True)

        def code() -> int:
            return await_exec(client, created)

        def resize(columns: int, rows: int) -> None:
            with suppress(DockerException, RequestException):
                client.exec_resize(created, height=rows, width=columns)

        return EngineExecSession(client, stream, tty=tty, code=code, resize=resize)

    def attach(self) -> ExecSession:
        client = self._engine.another_client()
        with _host_errors():
            parameters = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            stream = client.attach_socket(self.id, params=parameters)

        def resize(columns: int, rows: int) -> None:
            with suppress(DockerException, RequestException):
                client.resize(self.id, height=rows, width=columns)

        return EngineExecSession(client, stream, tty=self._tty, code=lambda: 0, resize=resize)

    def stop(self, seconds: int) -> None:
        with suppress(DockerException, RequestException), self._client_without_timeout() as client:
            client.stop(self.id, timeout=seconds)

    def remove(self) -> None:
        with suppress(NotFound, DockerException, RequestException):
            self._engine.client.remove_container(self.id, force=True, v=True)

    @contextmanager
    def _client_without_timeout(self) -> Iterator[APIClient]:
        """A separate connection without a timeout, for requests that last as long as a container."""
        client = self._engine.another_client()
        client.timeout = None  # type: ignore[assignment]  # requests takes it: no timeout
        try:
            yield client
        finally:
            client.close()


class EngineExecSession(ExecSession):
    """A session through the engine. client: for this session only. stream: docker-py's connection wrapper."""

    def __init__(
        self,
        client: APIClient,
        stream: Any,
        *,
        tty: bool,
        code: Callable[[], int],
        resize: Callable[[int, int], None],
    ) -> None:
        connection: socket.socket = stream._sock  # noqa: SLF001 - there is no other way to end one direction of it
        connection.settimeout(None)
        super().__init__(connection, tty=tty, code=code, resize=resize)
        self._client, self._stream = client, stream

    def close(self) -> None:
        super().close()
        self._stream.close()
        self._client.close()


def _host_config(client: APIClient, launch: LaunchSpec) -> dict[str, object]:
    cores = min(launch.cpu / CPU_UNITS_PER_CORE, os.cpu_count() or 1)  # more than there are is refused
    memory = launch.memory * 2**20
    created: dict[str, object] = client.create_host_config(
        nano_cpus=int(cores * 1e9),
        mem_limit=memory,
        memswap_limit=memory,
        read_only=launch.read_only,
        init=launch.init,
        binds=[f"{each.source}:{each.target}:{'rw' if each.writable else 'ro'}" for each in launch.mounts] or None,
        tmpfs=dict.fromkeys(launch.writable, "mode=1777") or None,
        cap_drop=["ALL"] if launch.confined else None,
        security_opt=["no-new-privileges"] if launch.confined else None,
        sysctls=dict(launch.sysctls) or None,
    )
    return created


def _healthcheck(check: HealthCheck | None) -> dict[str, object] | None:
    if check is None:
        return None
    return {
        "test": list(check.command),
        "interval": check.interval * 10**9,
        "timeout": check.timeout * 10**9,
        "retries": check.retries,
        "start_period": check.start * 10**9,
    }


@contextmanager
def _host_errors() -> Iterator[None]:
    try:
        yield
    except (DockerException, RequestException, HTTPError) as error:
        raise ContainerHostError(explain_error(error)) from error


_DRAIN_SECONDS = 60.0
"""Maximum wait for the last log lines after a container's end, from a busy engine."""


class LogListener:
    """Passes each log line to `on_line` in a background thread. Call `wait` before you remove the container: the
    engine returns no log of a removed one.
    """

    def __init__(self, container: HostContainer, on_line: Callable[[bytes], None]) -> None:
        self._container, self._on_line = container, on_line
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until the log of an ended container is read completely."""
        self._thread.join(_DRAIN_SECONDS)

    def _listen(self) -> None:
        for line in self._container.logs():
            self._on_line(line.rstrip(b"\r"))
