"""A websocket whose messages belong to channels. Standard: RFC 6455, with Kubernetes' subprotocols.

https://kubernetes.io/blog/2024/08/20/websockets-transition/
"""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from wsproto.frame_protocol import CloseReason, FrameProtocol, Opcode

from mldeploy.core.sockets import readable
from mldeploy.rehearsal.door.serving import cut
from mldeploy.rehearsal.kubernetes.objects.refusals import bad_request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

STDIN, STDOUT, STDERR, ERROR, CLOSE = 0, 1, 2, 3, 255
_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CHUNK = 1 << 16


class Channels:
    """The server's side, made out of a request. Raises Refused if that asks for something else.

    Whoever has it ends with `raise channels.end()`: the connection is not HTTP's any more.
    """

    def __init__(self, environ: WSGIEnvironment) -> None:
        key, asked = environ.get("HTTP_SEC_WEBSOCKET_KEY"), str(environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", ""))
        offered = [each.strip() for each in asked.split(",")]
        protocol = next((each for each in _PROTOCOLS if each in offered), "")
        if not key or not protocol:
            raise bad_request(f"you must specify at least 1 of these sub-protocols: {', '.join(_PROTOCOLS)}")
        self.connection: socket.socket = environ["werkzeug.socket"]
        self._frames = FrameProtocol(client=False, extensions=[])
        accept = base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode()).digest())  # noqa: S324 - as the standard says
        self.connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: " + protocol.encode() + b"\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def send(self, channel: int, data: bytes) -> None:
        """Raises OSError if the client has gone."""
        self.connection.sendall(self._frames.send_data(bytearray(bytes([channel]) + data), fin=True))

    def waits(self) -> bool:
        """Whether something has come that a look at the socket would not show."""
        return isinstance(self.connection, ssl.SSLSocket) and self.connection.pending() > 0

    def received(self) -> Iterator[tuple[int, bytes]]:
        """What has come: channels, and their data. Raises ConnectionError at the end."""
        data = self.connection.recv(_CHUNK)
        if not data:
            raise ConnectionError
        self._frames.receive_bytes(data)
        for frame in self._frames.received_frames():
            if frame.opcode is Opcode.CLOSE:
                raise ConnectionError
            content = frame.payload.encode() if isinstance(frame.payload, str) else frame.payload
            if isinstance(content, tuple):
                continue
            if frame.opcode is Opcode.PING:
                self.connection.sendall(self._frames.pong(bytes(content)))
            elif content and frame.opcode is not Opcode.PONG:
                yield content[0], bytes(content[1:])

    def lead(self, other: socket.socket, channel: int) -> None:
        """Copy both ways between a channel and a connection, until either side has said all."""
        while True:
            ready = readable([self.connection, other], 0 if self.waits() else None)
            if other in ready:
                data = other.recv(_CHUNK)
                if not data:
                    return
                self.send(channel, data)
            if self.connection in ready or self.waits():
                for where, data in self.received():
                    if where == channel:
                        other.sendall(data)

    def end(self) -> ConnectionResetError:
        """Say farewell; what is returned is to be raised."""
        with suppress(OSError):
            self.connection.sendall(self._frames.close(CloseReason.NORMAL_CLOSURE))
        return cut(self.connection)
