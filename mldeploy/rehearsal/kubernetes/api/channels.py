"""A websocket whose messages belong to channels: Kubernetes' own subprotocols.

https://kubernetes.io/blog/2024/08/20/websockets-transition/
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mldeploy.core.sockets import readable
from mldeploy.rehearsal.kubernetes.api.websocket import CHUNK, WebSocket

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


class Channels(WebSocket):
    """Raises Refused if the request asks for something else."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        super().__init__(environ, _PROTOCOLS)

    def send(self, channel: int, data: bytes) -> None:
        """Raises OSError if the client has gone."""
        self.tell(bytes([channel]) + data)

    def received(self) -> Iterator[tuple[int, bytes]]:
        """What has come: channels, and their data. Raises ConnectionError at the end."""
        yield from ((each[0], each[1:]) for each in self.heard() if each)

    def lead(self, other: socket.socket, channel: int) -> None:
        """Copy both ways between a channel and a connection, until either side has said all."""
        while True:
            ready = readable([self.connection, other], 0 if self.waits() else None)
            if other in ready:
                data = other.recv(CHUNK)
                if not data:
                    return
                self.send(channel, data)
            if self.connection in ready or self.waits():
                for where, data in self.received():
                    if where == channel:
                        other.sendall(data)
