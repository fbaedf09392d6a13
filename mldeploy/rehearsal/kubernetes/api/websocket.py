"""Websockets (RFC 6455), and Kubernetes' channel subprotocols.

https://kubernetes.io/blog/2024/08/20/websockets-transition/
"""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from wsproto.frame_protocol import CloseReason, FrameProtocol, Opcode

from mldeploy.rehearsal.gateway.serving import break_connection
from mldeploy.rehearsal.kubernetes.objects.errors import bad_request

if TYPE_CHECKING:
    import socket

    from _typeshed.wsgi import WSGIEnvironment
import socket
from typing import TYPE_CHECKING

from mldeploy.core.sockets import readable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CHUNK = 1 << 16


def offered_protocols(environ: WSGIEnvironment) -> Sequence[str]:
    """The subprotocols that the client offers; none if it requests no websocket."""
    if not environ.get("HTTP_SEC_WEBSOCKET_KEY"):
        return ()
    return [each.strip() for each in str(environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")).split(",")]


class WebSocket:
    """The server's side. Raises StatusError if the client offers none of these subprotocols.

    End it with `raise socket.close()`: the connection is no longer HTTP.
    """

    def __init__(self, environ: WSGIEnvironment, protocols: Sequence[str]) -> None:
        protocol = next((each for each in protocols if each in offered_protocols(environ)), "")
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

    def send_message(self, message: bytes) -> None:
        """Send data. Raises OSError if the client has disconnected."""
        self.connection.sendall(self._frames.send_data(bytearray(message), fin=True))

    def has_pending(self) -> bool:
        """Whether the TLS layer has buffered data that `select` does not show."""
        return isinstance(self.connection, ssl.SSLSocket) and self.connection.pending() > 0

    def receive_messages(self) -> Iterator[bytes]:
        """Yield received messages. Raises ConnectionError when the connection is closed."""
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

    def close(self) -> ConnectionResetError:
        """Send a close frame. Raise the returned exception."""
        with suppress(OSError):
            self.connection.sendall(self._frames.close(CloseReason.NORMAL_CLOSURE))
        return break_connection(self.connection)


STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")


class ChannelSocket(WebSocket):
    """A websocket with channels. Raises StatusError if the client offers no channel protocol."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        super().__init__(environ, _PROTOCOLS)

    def send(self, channel: int, data: bytes) -> None:
        """Send data. Raises OSError if the client has disconnected."""
        self.send_message(bytes([channel]) + data)

    def receive_data(self) -> Iterator[tuple[int, bytes]]:
        """Yield channels and their data. Raises ConnectionError when the connection is closed."""
        yield from ((each[0], each[1:]) for each in self.receive_messages() if each)

    def forward(self, other: socket.socket, channel: int) -> None:
        """Copy data both ways between a channel and a connection until either side closes."""
        while True:
            ready = readable([self.connection, other], 0 if self.has_pending() else None)
            if other in ready:
                data = other.recv(CHUNK)
                if not data:
                    return
                self.send(channel, data)
            if self.connection in ready or self.has_pending():
                for source, data in self.receive_data():
                    if source == channel:
                        other.sendall(data)


_VERSION, _CONTROL = 3, 0x80
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING = 1, 2, 3, 6
_FIN, _HEAD = 1, 8
_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age "
    "allow authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status"
)
_MORE = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug "
    "Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch"
    "charset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _with_length(text: str) -> bytes:
    return len(text).to_bytes(4, "big") + text.encode()


DICTIONARY = b"".join(map(_with_length, (*_WORDS.split(" "), *_MORE))) + _REST.encode()
"""The compression dictionary for headers: section 2.6.10.1."""


@dataclass(frozen=True)
class StreamOpened:
    """The client opens a stream."""

    stream: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class DataFrame:
    """Data on a stream. last: the client ends the stream."""

    stream: int
    data: bytes = field(default=b"", repr=False)
    last: bool = False


@dataclass(frozen=True)
class StreamReset:
    """The client resets a stream."""

    stream: int


@dataclass(frozen=True)
class Ping:
    """A ping. answer: the frame to send back."""

    answer: bytes


class SpdyFraming:
    """The server's side of one connection. Send encoded frames in the order of encoding."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._rest = b""

    def read(self, data: bytes) -> Iterator[StreamOpened | DataFrame | StreamReset | Ping]:
        """Parse the complete frames; unknown frames are ignored.

        Raises ConnectionError for an invalid frame.
        """
        self._rest += data
        while len(self._rest) >= _HEAD:
            end = _HEAD + int.from_bytes(self._rest[5:_HEAD], "big")
            if len(self._rest) < end:
                return
            frame, self._rest = self._rest[:end], self._rest[end:]
            yield from self._parse_frame(frame)

    def encode_reply(self, stream: int) -> bytes:
        """Encode the reply that accepts a stream."""
        headers = self._deflate.compress((0).to_bytes(4, "big")) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control(_SYN_REPLY, stream.to_bytes(4, "big") + headers)

    def encode_data(self, stream: int, data: bytes, *, last: bool = False) -> bytes:
        head = stream.to_bytes(4, "big") + bytes([_FIN if last else 0]) + len(data).to_bytes(3, "big")
        return head + data

    def _parse_frame(self, frame: bytes) -> Iterator[StreamOpened | DataFrame | StreamReset | Ping]:
        last, content = bool(frame[4] & _FIN), frame[_HEAD:]
        if not frame[0] & _CONTROL:
            yield DataFrame(int.from_bytes(frame[:4], "big"), content, last)
            return
        kind, stream = int.from_bytes(frame[2:4], "big"), int.from_bytes(content[:4], "big")
        if kind == _SYN_STREAM:
            yield StreamOpened(stream, self._headers(content[10:]))
            if last:
                yield DataFrame(stream, last=True)
        elif kind == _RST_STREAM:
            yield StreamReset(stream)
        elif kind == _PING:
            yield Ping(frame)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block)
        except zlib.error as error:
            raise ConnectionError(str(error)) from error
        headers, offset = {}, 4
        for _ in range(int.from_bytes(plain[:4], "big")):
            name, offset = _read_text(plain, offset)
            headers[name], offset = _read_text(plain, offset)
        return headers


def _control(kind: int, content: bytes) -> bytes:
    head = bytes((_CONTROL, _VERSION)) + kind.to_bytes(2, "big") + bytes(1) + len(content).to_bytes(3, "big")
    return head + content


def _read_text(plain: bytes, offset: int) -> tuple[str, int]:
    begin = offset + 4
    end = begin + int.from_bytes(plain[offset:begin], "big")
    return plain[begin:end].decode(), end
