"""What runs a task's container: the local Docker Engine, or whatever else keeps to `Host`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from docker import APIClient
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from mldeploy.image.engine import Engine
from mldeploy.image.errors import explanation

UNITS = 1024
"""CPU units of one core. Standard: ECS, "Task CPU and memory"."""


@dataclass(frozen=True)
class HealthCheck:
    """As a container definition says it; times in seconds."""

    command: Sequence[str]
    interval: int = 30
    timeout: int = 5
    retries: int = 3
    start: int = 0


@dataclass(frozen=True)
class Launch:
    """A container to start. cpu: in ECS's units, memory: in MiB. command, entrypoint: None: the image's own.

    ports: those that it is said to listen on. memory: 0: as much as there is. writable: folders that are in memory, and
    may be written to whatever `read_only` says. confined: it has no capability, and gets none.
    """

    image: str
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    cpu: int
    memory: int
    ports: Sequence[int] = ()
    command: Sequence[str] | None = None
    entrypoint: Sequence[str] | None = None
    folder: str | None = None
    user: str | None = None
    read_only: bool = False
    init: bool = False
    health: HealthCheck | None = None
    writable: Sequence[str] = ()
    confined: bool = False


@dataclass(frozen=True)
class Pulled:
    """An image that was pulled. architecture: as OCI names it, `amd64`. user: whom it runs as; "" is root."""

    digest: str
    architecture: str
    user: str = ""


@dataclass(frozen=True)
class Exit:
    """How a container ended."""

    code: int
    out_of_memory: bool = False


@dataclass(frozen=True)
class Ran:
    """What a command in a container did."""

    code: int
    out: bytes = b""
    err: bytes = b""


class HostError(Exception):
    """An image cannot be pulled, or a container cannot be started; the text is the engine's."""


class Container(Protocol):
    """One that runs, or ran."""

    @property
    def id(self) -> str:
        """What the host calls it."""

    @property
    def address(self) -> str:
        """The IP address at which its ports are reached from here."""

    def health(self) -> str:
        """`HEALTHY`, `UNHEALTHY` or `UNKNOWN`."""

    def wait(self) -> Exit:
        """Return once it has ended."""

    def logs(self) -> Iterator[bytes]:
        """What it writes, line by line, until it ends."""

    def execute(self, command: Sequence[str]) -> Ran:
        """Run a command in it, and wait for its end. Raises HostError where there is no such program."""

    def stop(self, seconds: int) -> None:
        """Ask it to end, and end it after so long. May be repeated."""

    def remove(self) -> None:
        """Leave nothing of it. May be repeated."""


class Host(Protocol):
    """Runs containers. May be used from several threads."""

    def pull(self, image: str, user: str, password: str) -> Pulled:
        """Get an image from a registry. Raises HostError."""

    def start(self, launch: Launch) -> Container:
        """Start a container of an image that was pulled. Raises HostError."""


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
                user=launch.user,
                healthcheck=_healthcheck(launch.health),
                host_config=_host_config(client, launch),
            )
            container = EngineContainer(self._engine, made["Id"])
            try:
                client.start(container.id)
                container.look()
            except BaseException:
                container.remove()
                raise
        return container


class EngineContainer:
    """A container on the local engine."""

    def __init__(self, engine: Engine, identity: str) -> None:
        self._engine = engine
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


def _host_config(client: APIClient, launch: Launch) -> dict[str, object]:
    cores = min(launch.cpu / UNITS, os.cpu_count() or 1)  # more than there are is refused
    memory = launch.memory * 2**20
    made: dict[str, object] = client.create_host_config(
        nano_cpus=int(cores * 1e9),
        mem_limit=memory,
        memswap_limit=memory,
        read_only=launch.read_only,
        init=launch.init,
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
