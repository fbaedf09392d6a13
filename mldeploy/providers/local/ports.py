"""Ports of this machine: their owners, and free ones."""

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
from mldeploy.providers.errors import AddressError, PortTakenError

SEARCHED = 200
ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
COMMAND_LENGTH = 80


def check_port(engine: Engine, host: str, port: int, *, mine: str = "") -> None:
    """Check that a container could get the port now. mine: the id of a container that may have it.

    Raises PortTakenError with its owner and the next free port; AddressError; EngineError.
    """
    owner = _find_container(engine, host, port, mine)
    if owner is None and not mine and not _is_free(host, port):
        owner = _find_process(host, port)
    if owner:
        raise PortTakenError(port, owner, next_free_port(engine, host, port))


def check_port_for_app(engine: Engine, host: str, port: int, app: str) -> None:
    """The same, for a port that a container of the app itself may have."""
    own = (
        each for each in _published(engine) if each.app == app and each.port == port and _collide(each.address, host)
    )
    if next(own, None) is None:
        check_port(engine, host, port)


def port_taken_error(engine: Engine, host: str, port: int, *, mine: str = "") -> PortTakenError:
    """Return the error for a port that the engine could not get. It may be free again."""
    owner = _find_container(engine, host, port, mine) or _find_process(host, port)
    return PortTakenError(port, owner, next_free_port(engine, host, port))


def next_free_port(engine: Engine, host: str, port: int) -> int | None:
    """Return the next free port, or None if there is none nearby."""
    published = {each.port for each in _published(engine)}
    following = range(port + 1, min(port + 1 + SEARCHED, 65536))
    return next((each for each in following if each not in published and _is_free(host, each)), None)


def choose_free_port(host: str) -> int:
    """Return a free port, chosen by the system. Raises AddressError if this machine does not have the address."""
    with _socket(host) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _is_free(host: str, port: int) -> bool:
    with _socket(host) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as the engine does: ignores connections in TIME_WAIT
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in ABSENT:
                raise
            return error.errno != errno.EADDRINUSE  # the engine may have the permission to bind it
    return True


@contextlib.contextmanager
def _socket(host: str) -> Iterator[socket.socket]:
    """Yield a socket for an address of this machine. Raises AddressError if it does not have the address."""
    try:
        with socket.socket(socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET) as made:
            yield made
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        todo = 'Use "127.0.0.1" for this machine only, "0.0.0.0" for all interfaces.'
        raise AddressError("target.local.host", f"this machine has no address {host}", todo) from error


@dataclass(frozen=True)
class _Published:
    """A published TCP port of a running container."""

    address: str
    port: int
    container: str
    app: str
    owner: str


def _published(engine: Engine) -> list[_Published]:
    with engine_errors("published ports"):
        listed = engine.client.containers()
    return [
        _Published(port.get("IP") or "0.0.0.0", port["PublicPort"], each["Id"], _app(each), _owner(each))  # noqa: S104 - the engine's meaning
        for each in listed
        for port in each["Ports"] or ()
        if "PublicPort" in port and port["Type"] == "tcp"
    ]


def _app(listed: Mapping[str, Any]) -> str:
    return str((listed["Labels"] or {}).get(APP, ""))


def _owner(listed: Mapping[str, Any]) -> str:
    name, app = listed["Names"][0].removeprefix("/"), _app(listed)
    return f"the container {name} of the app {app}" if app else f"the container {name}"


def _find_container(engine: Engine, host: str, port: int, mine: str) -> str | None:
    others = (each for each in _published(engine) if each.container != mine)
    return next((each.owner for each in others if each.port == port and _collide(each.address, host)), None)


def _collide(address: str, other: str) -> bool:
    """Whether one port cannot be bound at both addresses."""
    return address == other or any(ip_address(each).is_unspecified for each in (address, other))


def _find_process(host: str, port: int) -> str:
    """Describe the process that listens on a port, as far as the user's permissions allow."""
    import psutil  # noqa: PLC0415 - needed only for a taken port

    with contextlib.suppress(psutil.Error):
        for each in psutil.net_connections("tcp"):
            if not (each.status == psutil.CONN_LISTEN and each.pid and each.laddr):
                continue
            if each.laddr.port == port and _collide(each.laddr.ip, host):
                process = psutil.Process(each.pid)
                return f"process {each.pid}, {_format_command(process.cmdline() or [process.name()])}"
    return "another program (run as root to see which)"


def _format_command(command: Sequence[str]) -> str:
    text = shlex.join(command)
    return text if len(text) <= COMMAND_LENGTH else f"{text[:COMMAND_LENGTH]}…"
