"""Port forwarding: SPDY in a websocket, two streams per connection.

https://kubernetes.io/blog/2024/08/20/websockets-transition/
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mldeploy.core.sockets import readable
from mldeploy.rehearsal.kubernetes.api.websocket import (
    CHUNK,
    DataFrame,
    Ping,
    SpdyFraming,
    StreamOpened,
    StreamReset,
    WebSocket,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PROTOCOL = "SPDY/3.1+portforward.k8s.io"
_SECONDS = 5.0


@dataclass
class _ForwardedConnection:
    """One connection to the Pod. errors, data: its stream numbers."""

    errors: int
    data: int = 0
    connection: socket.socket | None = None


class PortForwardSession:
    """Forwards connections. address: of the Pod. Raises StatusError if the client offers another protocol."""

    def __init__(self, environ: WSGIEnvironment, address: str) -> None:
        self.websocket = WebSocket(environ, (PROTOCOL,))
        self._address = address
        self._framing = SpdyFraming()
        self._forwards: dict[str, _ForwardedConnection] = {}
        """By the client's request ID."""

    def forward(self) -> None:
        """Forward until the client disconnects. Raises OSError then."""
        try:
            while True:
                self._forward_once()
        finally:
            for forwarded in self._forwards.values():
                if forwarded.connection is not None:
                    forwarded.connection.close()

    def _forward_once(self) -> None:
        """Wait for data from any side, and forward it."""
        forwards, client = (
            {forwarded.connection: forwarded for forwarded in self._forwards.values()},
            self.websocket.connection,
        )
        open_ones = [each for each in forwards if each is not None]
        ready = readable([client, *open_ones], 0 if self.websocket.has_pending() else None)
        for each in open_ones:
            if each in ready:
                self._send_to_client(each, forwards[each])
        if client in ready or self.websocket.has_pending():
            for message in self.websocket.receive_messages():
                for frame in self._framing.read(message):
                    self._handle_frame(frame)

    def _handle_frame(self, frame: StreamOpened | DataFrame | StreamReset | Ping) -> None:
        if isinstance(frame, Ping):
            self.websocket.send_message(frame.answer)
        elif isinstance(frame, StreamOpened):
            self._open(frame)
        elif forwarded := next((each for each in self._forwards.values() if each.data == frame.stream), None):
            self._send_to_pod(forwarded, frame)

    def _open(self, opened: StreamOpened) -> None:
        number = opened.headers.get("requestid", "")
        self.websocket.send_message(self._framing.encode_reply(opened.stream))
        if opened.headers.get("streamtype") == "error":
            self._forwards[number] = _ForwardedConnection(opened.stream)
            return
        forwarded, port = self._forwards[number], opened.headers.get("port", "")
        forwarded.data = opened.stream
        try:
            forwarded.connection = socket.create_connection((self._address, int(port)), _SECONDS)
            forwarded.connection.settimeout(None)
        except OSError as error:
            text = f"an error occurred forwarding {port}: failed to connect to localhost:{port} inside the pod: {error}"
            self._close(forwarded, text)

    def _send_to_pod(self, forwarded: _ForwardedConnection, frame: DataFrame | StreamReset) -> None:
        if forwarded.connection is None:
            return
        if isinstance(frame, StreamReset):
            self._close(forwarded)
            return
        with suppress(OSError):  # a closed connection is detected when it is read
            forwarded.connection.sendall(frame.data)
            if frame.last:
                forwarded.connection.shutdown(socket.SHUT_WR)

    def _send_to_client(self, connection: socket.socket, forwarded: _ForwardedConnection) -> None:
        try:
            data = connection.recv(CHUNK)
        except OSError:
            data = b""
        if data:
            self.websocket.send_message(self._framing.encode_data(forwarded.data, data))
        else:
            self._close(forwarded)

    def _close(self, forwarded: _ForwardedConnection, error: str = "") -> None:
        """Close the connection and its streams. error: text for the error stream."""
        if forwarded.connection is not None:
            forwarded.connection.close()
        self._forwards = {number: each for number, each in self._forwards.items() if each is not forwarded}
        self.websocket.send_message(self._framing.encode_data(forwarded.data, b"", last=True))
        self.websocket.send_message(self._framing.encode_data(forwarded.errors, error.encode(), last=True))
