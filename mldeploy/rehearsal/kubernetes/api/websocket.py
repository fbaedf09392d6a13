"""A websocket, made out of a request. Standard: RFC 6455."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from wsproto.frame_protocol import CloseReason, FrameProtocol, Opcode

from mldeploy.rehearsal.door.serving import cut
from mldeploy.rehearsal.kubernetes.objects.refusals import bad_request

if TYPE_CHECKING:
    import socket

    from _typeshed.wsgi import WSGIEnvironment

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CHUNK = 1 << 16


def offered(environ: WSGIEnvironment) -> Sequence[str]:
    """The subprotocols that the client speaks, none if it wants no websocket."""
    if not environ.get("HTTP_SEC_WEBSOCKET_KEY"):
        return ()
    return [each.strip() for each in str(environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")).split(",")]


class WebSocket:
    """The server's side. Raises Refused if the client speaks none of these subprotocols.

    Whoever has it ends with `raise ….end()`: the connection is not HTTP's any more.
    """

    def __init__(self, environ: WSGIEnvironment, protocols: Sequence[str]) -> None:
        protocol = next((each for each in protocols if each in offered(environ)), "")
        if not protocol:
            raise bad_request(f"you must specify at least 1 of these sub-protocols: {', '.join(protocols)}")
        self.connection: socket.socket = environ["werkzeug.socket"]
        self._frames = FrameProtocol(client=False, extensions=[])
        self._message = bytearray()
        key = f"{environ['HTTP_SEC_WEBSOCKET_KEY']}{_GUID}"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest())  # noqa: S324 - as the standard says
        self.connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: " + protocol.encode() + b"\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def tell(self, message: bytes) -> None:
        """Raises OSError if the client has gone."""
        self.connection.sendall(self._frames.send_data(bytearray(message), fin=True))

    def waits(self) -> bool:
        """Whether something has come that a look at the socket would not show."""
        return isinstance(self.connection, ssl.SSLSocket) and self.connection.pending() > 0

    def heard(self) -> Iterator[bytes]:
        """The messages that have come. Raises ConnectionError at the end."""
        data = self.connection.recv(CHUNK)
        if not data:
            raise ConnectionError
        self._frames.receive_bytes(data)
        for frame in self._frames.received_frames():
            if frame.opcode is Opcode.CLOSE:
                raise ConnectionError
            content = frame.payload.encode() if isinstance(frame.payload, str) else frame.payload
            if isinstance(content, tuple) or frame.opcode is Opcode.PONG:
                continue
            if frame.opcode is Opcode.PING:
                self.connection.sendall(self._frames.pong(bytes(content)))
                continue
            self._message += content
            if frame.message_finished:
                message, self._message = bytes(self._message), bytearray()
                yield message

    def end(self) -> ConnectionResetError:
        """Say farewell; what is returned is to be raised."""
        with suppress(OSError):
            self.connection.sendall(self._frames.close(CloseReason.NORMAL_CLOSURE))
        return cut(self.connection)
