"""What runs a task's container, whatever it is: what is started, and how it is spoken of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mldeploy.rehearsal.containers.talk import Talk

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
class Mount:
    """A folder or a file of this machine, and where the container has it. writable: it may be written to there."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Launch:
    """A container to start. cpu: in ECS's units, memory: in MiB. command, entrypoint: None: the image's own.

    ports: those that it is said to listen on. memory: 0: as much as there is. writable: folders that are in memory, and
    may be written to whatever `read_only` says. confined: it has no capability, and gets none. mounts: places of this
    machine. stdin, tty: it can be talked to, at a terminal.
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
    mounts: Sequence[Mount] = ()
    stdin: bool = False
    tty: bool = False


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

    def talk(self, command: Sequence[str], *, tty: bool) -> Talk:
        """Run a command in it, and talk to it. Raises HostError where there is no such program."""

    def attach(self) -> Talk:
        """Talk to what runs in it. Raises HostError."""

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
