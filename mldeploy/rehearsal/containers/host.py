"""Interface of a container host: the Docker Engine, or a fake."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mldeploy.core.sockets import readable
from mldeploy.rehearsal.containers.exec_session import ExecSession

CPU_UNITS_PER_CORE = 1024
"""CPU units of one core. Standard: ECS, "Task CPU and memory"."""


@dataclass(frozen=True)
class HealthCheck:
    """Health check of a container definition. Times are in seconds."""

    command: Sequence[str]
    interval: int = 30
    timeout: int = 5
    retries: int = 3
    start: int = 0


@dataclass(frozen=True)
class Mount:
    """A bind mount of a local folder or file."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class LaunchSpec:
    """A container to start. cpu: in ECS's units, memory: in MiB. command, entrypoint: None: the image's own.

    ports: ports that it listens on. memory: 0: unlimited. writable: tmpfs folders, writable also with `read_only`.
    confined: drop all capabilities, no new privileges. sysctls: of the container's own network. mounts: bind mounts.
    stdin, tty: keep stdin open, with a terminal.
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
    sysctls: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    stdin: bool = False
    tty: bool = False


@dataclass(frozen=True)
class PulledImage:
    """A pulled image. architecture: OCI's name, `amd64`. user: of its process; "" is root."""

    digest: str
    architecture: str
    user: str = ""


@dataclass(frozen=True)
class ContainerExit:
    """Exit state of a container."""

    code: int
    out_of_memory: bool = False


@dataclass(frozen=True)
class ExecResult:
    """Result of a command in a container."""

    code: int
    out: bytes = b""
    err: bytes = b""


class ContainerHostError(Exception):
    """An image cannot be pulled, or a container cannot be started; the message is the engine's."""


class HostContainer(Protocol):
    """A started container. It may have ended."""

    @property
    def id(self) -> str:
        """The host's id of it."""

    @property
    def address(self) -> str:
        """IP address for connections to its ports."""

    def health(self) -> str:
        """`HEALTHY`, `UNHEALTHY` or `UNKNOWN`."""

    def wait(self) -> ContainerExit:
        """Wait for its end."""

    def logs(self) -> Iterator[bytes]:
        """Follow its log, line by line, until it ends."""

    def execute(self, command: Sequence[str]) -> ExecResult:
        """Run a command in it, and wait for its end. Raises ContainerHostError if the program does not exist."""

    def open_exec(self, command: Sequence[str], *, tty: bool) -> ExecSession:
        """Start an interactive command in it. Raises ContainerHostError if the program does not exist."""

    def attach(self) -> ExecSession:
        """Attach to its main process. Raises ContainerHostError."""

    def stop(self, seconds: int) -> None:
        """Send SIGTERM, and SIGKILL after `seconds`. May be repeated."""

    def remove(self) -> None:
        """Kill and delete it. May be repeated."""


class ContainerHost(Protocol):
    """Runs containers. Thread-safe."""

    def pull(self, image: str, user: str, password: str) -> PulledImage:
        """Pull an image from a registry. Raises ContainerHostError."""

    def start(self, launch: LaunchSpec) -> HostContainer:
        """Start a container from a pulled image. Raises ContainerHostError."""


_CHUNK = 1 << 16


class PublicAddressPool:
    """Free addresses of 127.A.B.0/24, used as public IP addresses."""

    def __init__(self, prefix: str) -> None:
        self._mutex = threading.Lock()
        self._free = [f"{prefix}.{number}" for number in range(254, 9, -1)]

    def take(self) -> str:
        """Allocate an address."""
        with self._mutex:
            return self._free.pop()

    def give_back(self, address: str) -> None:
        """Release an address. It is reused last."""
        with self._mutex:
            self._free.insert(0, address)


class Forwarder:
    """Listens on a public address and forwards connections until `close`.

    route: returns the target of a connection; None closes the connection.
    """

    def __init__(self, public: tuple[str, int], route: Callable[[], tuple[str, int] | None]) -> None:
        self._route = route
        self._listener = socket.create_server(public, reuse_port=False)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more connections. Existing ones continue. May be repeated."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._forward, args=(connection,), daemon=True).start()

    def _forward(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if private := self._route():
                with socket.create_connection(private, timeout=10) as other:
                    other.settimeout(None)
                    relay(connection, other)


def relay(one: socket.socket, other: socket.socket) -> None:
    """Copy data in both directions until both ends have closed."""
    partner, talking = {one: other, other: one}, {one, other}
    while talking:
        for each in readable(talking):
            if content := each.recv(_CHUNK):
                partner[each].sendall(content)
            else:
                talking.discard(each)
                partner[each].shutdown(socket.SHUT_WR)


def close_all(forwarders: Iterable[Forwarder]) -> None:
    for each in forwarders:
        each.close()
