"""`Host` on the local Docker Engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from docker import APIClient
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from mldeploy.image.engine import Engine
from mldeploy.image.errors import explanation
from mldeploy.rehearsal.containers.host import (
    UNITS,
    Container,
    Exit,
    HealthCheck,
    HostError,
    Launch,
    Pulled,
    Ran,
)
from mldeploy.rehearsal.containers.talk import Talk

if TYPE_CHECKING:
    import socket


class EngineHost:
    """The local engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def pull(self, image: str, user: str, password: str) -> Pulled:
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
                    raise HostError(event["error"])
            found = client.inspect_image(image)
        digests = [name.partition("@")[2] for name in found["RepoDigests"]]
        user = str((found.get("Config") or {}).get("User") or "")
        return Pulled(digest or (digests[0] if digests else ""), found["Architecture"], user)

    def start(self, launch: Launch) -> Container:
        client = self._engine.client
        with _host_errors():
            made = client.create_container(
                launch.image,
                command=list(launch.command) if launch.command else None,
                entrypoint=list(launch.entrypoint) if launch.entrypoint else None,
                labels=dict(launch.labels),
                environment=dict(launch.environment),
                working_dir=launch.folder,
                stdin_open=launch.stdin,
                tty=launch.tty,
                user=launch.user,
                healthcheck=_healthcheck(launch.health),
                host_config=_host_config(client, launch),
            )
            container = EngineContainer(self._engine, made["Id"], tty=launch.tty)
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
        """Learn its address, which it has as long as it runs."""
        networks = self._engine.client.inspect_container(self.id)["NetworkSettings"]["Networks"]
        self.address = next((network["IPAddress"] for network in networks.values()), "")

    def health(self) -> str:
        try:
            state = self._engine.client.inspect_container(self.id)["State"]
        except (DockerException, RequestException):
            return "UNKNOWN"
        if not state["Running"]:  # the engine calls one that has ended unhealthy
            return "UNKNOWN"
        found = (state.get("Health") or {}).get("Status", "none")
        return {"healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}.get(found, "UNKNOWN")

    def wait(self) -> Exit:
        try:
            with self._patient() as client:
                client.wait(self.id)
            state = self._engine.client.inspect_container(self.id)["State"]
            return Exit(int(state["ExitCode"]), bool(state.get("OOMKilled")))
        except (DockerException, RequestException, HTTPError):
            return Exit(137)  # somebody removed it

    def logs(self) -> Iterator[bytes]:
        with suppress(DockerException, RequestException, HTTPError), self._patient() as client:
            rest = b""
            for chunk in client.logs(self.id, stream=True, follow=True):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
            if rest:
                yield rest

    def execute(self, command: Sequence[str]) -> Ran:
        with _host_errors(), self._patient() as client:
            made = client.exec_create(self.id, list(command))
            out, err = client.exec_start(made["Id"], demux=True)
            code = int(client.exec_inspect(made["Id"])["ExitCode"])
        said = (out or err or b"").decode(errors="replace")
        if code in (126, 127) and "OCI runtime exec failed" in said:
            raise HostError(said)
        return Ran(code, out or b"", err or b"")

    def talk(self, command: Sequence[str], *, tty: bool) -> Talk:
        client = self._engine.another_client()
        with _host_errors():
            made = client.exec_create(self.id, list(command), stdin=True, tty=tty)["Id"]
            stream = client.exec_start(made, tty=tty, socket=True)

        def code() -> int:
            return int(client.exec_inspect(made)["ExitCode"] or 0)

        def resize(columns: int, rows: int) -> None:
            with suppress(DockerException, RequestException):
                client.exec_resize(made, height=rows, width=columns)

        return EngineTalk(client, stream, tty=tty, code=code, resize=resize)

    def attach(self) -> Talk:
        client = self._engine.another_client()
        with _host_errors():
            parameters = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            stream = client.attach_socket(self.id, params=parameters)

        def resize(columns: int, rows: int) -> None:
            with suppress(DockerException, RequestException):
                client.resize(self.id, height=rows, width=columns)

        return EngineTalk(client, stream, tty=self._tty, code=lambda: 0, resize=resize)

    def stop(self, seconds: int) -> None:
        with suppress(DockerException, RequestException), self._patient() as client:
            client.stop(self.id, timeout=seconds)

    def remove(self) -> None:
        with suppress(NotFound, DockerException, RequestException):
            self._engine.client.remove_container(self.id, force=True, v=True)

    @contextmanager
    def _patient(self) -> Iterator[APIClient]:
        """A connection of its own, on which an answer may take as long as a container lives."""
        client = self._engine.another_client()
        client.timeout = None  # type: ignore[assignment]  # requests takes it: no timeout
        try:
            yield client
        finally:
            client.close()


class EngineTalk(Talk):
    """Through the engine. client: its own; stream: what the library has made of the connection."""

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


def _host_config(client: APIClient, launch: Launch) -> dict[str, object]:
    cores = min(launch.cpu / UNITS, os.cpu_count() or 1)  # more than there are is refused
    memory = launch.memory * 2**20
    made: dict[str, object] = client.create_host_config(
        nano_cpus=int(cores * 1e9),
        mem_limit=memory,
        memswap_limit=memory,
        read_only=launch.read_only,
        init=launch.init,
        binds=[f"{each.source}:{each.target}:{'rw' if each.writable else 'ro'}" for each in launch.mounts] or None,
        tmpfs=dict.fromkeys(launch.writable, "mode=1777") or None,
        cap_drop=["ALL"] if launch.confined else None,
        security_opt=["no-new-privileges"] if launch.confined else None,
    )
    return made


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
        raise HostError(explanation(error)) from error
