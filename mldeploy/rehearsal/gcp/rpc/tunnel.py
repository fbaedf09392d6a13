"""The way to a gRPC server, which can break: the server itself has no means to end a connection."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from mldeploy.rehearsal.containers.network import Forwarder, pump


class Tunnel(Forwarder):
    """Hands connections on to a server on this machine, and knows which of the server's peers is which client."""

    def __init__(self, public: tuple[str, int], private: tuple[str, int]) -> None:
        self._mutex = threading.Lock()
        self._clients: dict[str, socket.socket] = {}
        self._private = private
        super().__init__(public, lambda: private)

    def close(self) -> None:
        """Take no connection any more, and break those that there are. May be repeated."""
        super().close()
        with self._mutex:
            peers = list(self._clients)
        for peer in peers:
            self.cut(peer)

    def cut(self, peer: str) -> None:
        """Break the connection behind a peer as gRPC names it, with every call that is on its way on it."""
        with self._mutex:
            client = self._clients.get(peer)
        if client is not None:
            with suppress(OSError):  # it may have left
                client.shutdown(socket.SHUT_RDWR)

    def _forward(self, connection: socket.socket) -> None:
        with connection, suppress(OSError), socket.create_connection(self._private, timeout=10) as server:
            server.settimeout(None)
            host, port = server.getsockname()[:2]
            peer = f"ipv4:{host}:{port}"
            with self._mutex:
                self._clients[peer] = connection
            try:
                pump(connection, server)
            finally:
                with self._mutex:
                    del self._clients[peer]
