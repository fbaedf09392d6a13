"""Ports of this machine: who has one, and which is free."""

from __future__ import annotations

import contextlib
import errno
import shlex
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors
from mldeploy.image.labels import APP
from mldeploy.providers.errors import HostError, PortTakenError

SEARCHED = 200
ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
COMMAND_LENGTH = 80


def check_port(engine: Engine, host: str, port: int, *, mine: str = "") -> None:
    """Return if a container could get the port now. `mine` is the id of a container that may have it.

    Raises PortTakenError with its owner and the next free port; HostError; EngineError.
    """
    owner = _container_on(engine, host, port, mine)
    if owner is None and not mine and not _is_free(host, port):
        owner = _process_on(host, port)
    if owner:
        raise PortTakenError(port, owner, next_free_port(engine, host, port))


def taken(engine: Engine, host: str, port: int, *, mine: str = "") -> PortTakenError:
    """The error for a port that the engine could not get, whoever had it: it may be free again by now."""
    owner = _container_on(engine, host, port, mine) or _process_on(host, port)
    return PortTakenError(port, owner, next_free_port(engine, host, port))


def next_free_port(engine: Engine, host: str, port: int) -> int | None:
    """The first free port after this one, or None if there is none near by."""
    published = {each.port for each in _published(engine)}
    following = range(port + 1, min(port + 1 + SEARCHED, 65536))
    return next((each for each in following if each not in published and _is_free(host, each)), None)


def any_free_port(host: str) -> int:
    """A port that is free now; the system chooses. Raises HostError if this machine has no such address."""
    with _socket(host) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _is_free(host: str, port: int) -> bool:
    with _socket(host) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the engine does: connections that wait to end
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in ABSENT:
                raise
            return error.errno != errno.EADDRINUSE  # what we may not bind, the engine may
    return True


@contextlib.contextmanager
def _socket(host: str) -> Iterator[socket.socket]:
    """A socket for an address of this machine. Raises HostError if it has none such."""
    try:
        with socket.socket(socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET) as made:
            yield made
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        todo = '"127.0.0.1" is this machine alone, "0.0.0.0" everybody who can reach it.'
        raise HostError("target.local.host", f"this machine has no address {host}", todo) from error


@dataclass(frozen=True)
class _Published:
    """A TCP port that a running container has."""

    address: str
    port: int
    container: str
    owner: str


def _published(engine: Engine) -> list[_Published]:
    with engine_errors("published ports"):
        listed = engine.client.containers()
    return [
        _Published(port.get("IP") or "0.0.0.0", port["PublicPort"], each["Id"], _owner(each))  # noqa: S104 - as the engine means it
        for each in listed
        for port in each["Ports"] or ()
        if "PublicPort" in port and port["Type"] == "tcp"
    ]


def _owner(listed: Mapping[str, Any]) -> str:
    name, app = listed["Names"][0].removeprefix("/"), (listed["Labels"] or {}).get(APP)
    return f"the container {name} of the app {app}" if app else f"the container {name}"


def _container_on(engine: Engine, host: str, port: int, mine: str) -> str | None:
    others = (each for each in _published(engine) if each.container != mine)
    return next((each.owner for each in others if each.port == port and _collide(each.address, host)), None)


def _collide(address: str, other: str) -> bool:
    """One port cannot be bound at both addresses."""
    return address == other or any(ip_address(each).is_unspecified for each in (address, other))


def _process_on(host: str, port: int) -> str:
    """The process that listens on a port, as far as the permissions of this user let it be seen."""
    import psutil  # noqa: PLC0415 - only a taken port waits for it

    with contextlib.suppress(psutil.Error):
        for each in psutil.net_connections("tcp"):
            if not (each.status == psutil.CONN_LISTEN and each.pid and each.laddr):
                continue
            if each.laddr.port == port and _collide(each.laddr.ip, host):
                process = psutil.Process(each.pid)
                return f"process {each.pid}, {_shown(process.cmdline() or [process.name()])}"
    return "another program (run as root to see which)"


def _shown(command: Sequence[str]) -> str:
    text = shlex.join(command)
    return text if len(text) <= COMMAND_LENGTH else f"{text[:COMMAND_LENGTH]}…"
