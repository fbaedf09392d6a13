"""A container's TCP sockets, read from the kernel's tables."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mldeploy.app.container import Container
from mldeploy.app.containers import Containers

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
ENGINE_DNS = "127.0.0.11"
"""Where the engine's own name server listens in a container that is on a network of its own."""
ESTABLISHED, SYN_SENT, LISTEN = "01", "02", "0A"


@dataclass(frozen=True, order=True)
class ListeningSocket:
    """A TCP socket that waits for connections."""

    address: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Only processes in the same container can reach it."""
        return ipaddress.ip_address(self.address).is_loopback

    def reaches(self, port: int) -> bool:
        """Whether a connection from outside the container to the port reaches this socket."""
        return self.port == port and not self.is_loopback

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Sockets:
    """A container's TCP sockets, without the engine's. talking: it has or opens a connection to another machine."""

    listeners: tuple[ListeningSocket, ...]
    talking: bool

    def only_elsewhere(self, port: int) -> bool:
        """Whether it listens, but not where a connection from outside to the port arrives."""
        return bool(self.listeners) and not any(each.reaches(port) for each in self.listeners)


def list_sockets(containers: Containers, container: Container) -> Sockets | None:
    """Return the sockets of a running container, or None (it has no `cat`, and we are not root)."""
    text = _read_proc_tables(container) or containers.file(container.id, *TABLES)
    return parse_socket_tables(text.splitlines()) if text else None


def _read_proc_tables(container: Container) -> str:
    """Read the tables from this machine's /proc: an image without a shell has no `cat`.

    If the engine runs in a virtual machine, the pid is of that machine. The control group's name proves the process.
    """
    process = Path("/proc") / str(container.pid)
    try:
        if not container.pid or container.id not in (process / "cgroup").read_text():
            return ""
        return "".join((process / table.removeprefix("/proc/")).read_text() for table in TABLES)
    except OSError:
        return ""


def parse_socket_tables(lines: Iterable[str]) -> Sockets:
    """Read the rows of /proc/net/tcp and tcp6 (proc_pid_net(5)): slot, local and remote address, state in hex."""
    listeners, talking = set(), False
    for line in lines:
        fields = line.split()
        if len(fields) < 4 or not fields[0].endswith(":"):
            continue
        local, remote, state = _parse_address(fields[1]), _parse_address(fields[2]), fields[3]
        if state == LISTEN and local.address != ENGINE_DNS:
            listeners.add(local)
        talking |= state in (ESTABLISHED, SYN_SENT) and not remote.is_loopback
    return Sockets(tuple(sorted(listeners)), talking)


def _parse_address(field: str) -> ListeningSocket:
    """An address as the kernel prints it: 32-bit words, each in the machine's (little-endian) byte order."""
    address, _, port = field.partition(":")
    words = bytes.fromhex(address)
    packed = b"".join(words[start : start + 4][::-1] for start in range(0, len(words), 4))
    return ListeningSocket(str(ipaddress.ip_address(packed)), int(port, 16))
