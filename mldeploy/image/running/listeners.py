"""Who listens and who talks inside a container, read from the kernel's own tables."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mldeploy.image.running.container import Container
from mldeploy.image.running.containers import Containers

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
ESTABLISHED, SYN_SENT, LISTEN = "01", "02", "0A"


@dataclass(frozen=True, order=True)
class Listener:
    """A TCP socket that waits for connections."""

    address: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Only processes in the same container can reach it."""
        return ipaddress.ip_address(self.address).is_loopback

    def reaches(self, port: int) -> bool:
        """A connection from outside of the container to this port arrives here."""
        return self.port == port and not self.is_loopback

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Sockets:
    """A container's TCP sockets. talking: it has a connection to another machine, or is making one."""

    listeners: tuple[Listener, ...]
    talking: bool

    def only_elsewhere(self, port: int) -> bool:
        """Something listens, but nothing where a connection from outside to this port arrives."""
        return bool(self.listeners) and not any(each.reaches(port) for each in self.listeners)


def sockets(containers: Containers, container: Container) -> Sockets | None:
    """The sockets of a running container; None if they cannot be seen (no `cat` in it, and not root here)."""
    text = _from_here(container) or containers.file(container.id, *TABLES)
    return parse(text.splitlines()) if text else None


def _from_here(container: Container) -> str:
    """The tables as this machine shows them: an image without a shell has no `cat`.

    With an engine in a virtual machine the pid is that machine's; only the control group's name proves that it is ours.
    """
    process = Path("/proc") / str(container.pid)
    try:
        if not container.pid or container.id not in (process / "cgroup").read_text():
            return ""
        return "".join((process / table.removeprefix("/proc/")).read_text() for table in TABLES)
    except OSError:
        return ""


def parse(lines: Iterable[str]) -> Sockets:
    """Read the rows of /proc/net/tcp and tcp6 (proc_pid_net(5)): slot, local and remote address, state in hex."""
    listeners, talking = set(), False
    for line in lines:
        fields = line.split()
        if len(fields) < 4 or not fields[0].endswith(":"):
            continue
        local, remote, state = _address(fields[1]), _address(fields[2]), fields[3]
        if state == LISTEN:
            listeners.add(local)
        talking |= state in (ESTABLISHED, SYN_SENT) and not remote.is_loopback
    return Sockets(tuple(sorted(listeners)), talking)


def _address(field: str) -> Listener:
    """An address as the kernel prints it: 32-bit words, each in the machine's (little-endian) byte order."""
    address, _, port = field.partition(":")
    words = bytes.fromhex(address)
    packed = b"".join(words[start : start + 4][::-1] for start in range(0, len(words), 4))
    return Listener(str(ipaddress.ip_address(packed)), int(port, 16))
