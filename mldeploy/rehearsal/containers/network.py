"""The network between this machine and a container: public addresses, and a way that may be open or not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

from mldeploy.core.sockets import readable

_CHUNK = 1 << 16


class Addresses:
    """Public addresses: those of 127.A.B.0/24 that the rehearsal itself has no use for."""

    def __init__(self, prefix: str) -> None:
        self._mutex = threading.Lock()
        self._free = [f"{prefix}.{number}" for number in range(254, 9, -1)]

    def take(self) -> str:
        """One that nobody has."""
        with self._mutex:
            return self._free.pop()

    def give_back(self, address: str) -> None:
        """It is the last that will be taken again."""
        with self._mutex:
            self._free.insert(0, address)


class Forwarder:
    """Listens on a public address and hands connections on. Ends with `close`.

    route: asked for each connection where it leads; one that leads nowhere is closed without an answer.
    """

    def __init__(self, public: tuple[str, int], route: Callable[[], tuple[str, int] | None]) -> None:
        self._route = route
        self._listener = socket.create_server(public, reuse_port=False)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no connection any more; those that there are may end by themselves. May be repeated."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or whoever waits in accept() waits for ever
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
                    pump(connection, other)


def pump(one: socket.socket, other: socket.socket) -> None:
    """Copy both ways until both have said all."""
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
