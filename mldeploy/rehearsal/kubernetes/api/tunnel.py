"""kubectl's way to a Pod's ports: SPDY in a websocket, two streams for each connection.

https://kubernetes.io/blog/2024/08/20/websockets-transition/
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mldeploy.core.sockets import readable
from mldeploy.rehearsal.kubernetes.api.spdy import Framing, Opened, Pinged, Reset, Said
from mldeploy.rehearsal.kubernetes.api.websocket import CHUNK, WebSocket

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PROTOCOL = "SPDY/3.1+portforward.k8s.io"
_SECONDS = 5.0


@dataclass
class _Way:
    """One connection to the Pod. errors, data: the numbers of its streams."""

    errors: int
    data: int = 0
    connection: socket.socket | None = None


class Tunnel:
    """address: the Pod's. Raises Refused if the request asks for something else."""

    def __init__(self, environ: WSGIEnvironment, address: str) -> None:
        self.websocket = WebSocket(environ, (PROTOCOL,))
        self._address = address
        self._framing = Framing()
        self._ways: dict[str, _Way] = {}
        """By the client's number of the connection."""

    def lead(self) -> None:
        """Until the client has gone. Raises OSError then."""
        try:
            while True:
                self._turn()
        finally:
            for way in self._ways.values():
                if way.connection is not None:
                    way.connection.close()

    def _turn(self) -> None:
        """Wait for one of them to say something, and hand it on."""
        mine, client = {way.connection: way for way in self._ways.values()}, self.websocket.connection
        open_ones = [each for each in mine if each is not None]
        ready = readable([client, *open_ones], 0 if self.websocket.waits() else None)
        for each in open_ones:
            if each in ready:
                self._hand_back(each, mine[each])
        if client in ready or self.websocket.waits():
            for message in self.websocket.heard():
                for what in self._framing.read(message):
                    self._take(what)

    def _take(self, what: Opened | Said | Reset | Pinged) -> None:
        if isinstance(what, Pinged):
            self.websocket.tell(what.answer)
        elif isinstance(what, Opened):
            self._open(what)
        elif way := next((each for each in self._ways.values() if each.data == what.stream), None):
            self._hand_on(way, what)

    def _open(self, asked: Opened) -> None:
        number = asked.headers.get("requestid", "")
        self.websocket.tell(self._framing.accepted(asked.stream))
        if asked.headers.get("streamtype") == "error":
            self._ways[number] = _Way(asked.stream)
            return
        way, port = self._ways[number], asked.headers.get("port", "")
        way.data = asked.stream
        try:
            way.connection = socket.create_connection((self._address, int(port)), _SECONDS)
            way.connection.settimeout(None)
        except OSError as error:
            text = f"an error occurred forwarding {port}: failed to connect to localhost:{port} inside the pod: {error}"
            self._end(way, text)

    def _hand_on(self, way: _Way, what: Said | Reset) -> None:
        if way.connection is None:
            return
        if isinstance(what, Reset):
            self._end(way)
            return
        with suppress(OSError):  # that it has gone is seen when it is read
            way.connection.sendall(what.data)
            if what.last:
                way.connection.shutdown(socket.SHUT_WR)

    def _hand_back(self, connection: socket.socket, way: _Way) -> None:
        try:
            data = connection.recv(CHUNK)
        except OSError:
            data = b""
        if data:
            self.websocket.tell(self._framing.said(way.data, data))
        else:
            self._end(way)

    def _end(self, way: _Way, error: str = "") -> None:
        """Nothing more comes on its streams."""
        if way.connection is not None:
            way.connection.close()
        self._ways = {number: each for number, each in self._ways.items() if each is not way}
        self.websocket.tell(self._framing.said(way.data, b"", last=True))
        self.websocket.tell(self._framing.said(way.errors, error.encode(), last=True))
