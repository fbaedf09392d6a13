"""As much of SPDY/3.1 as kubectl's way to a Pod's port needs, which goes through a websocket.

https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

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


def _counted(text: str) -> bytes:
    return len(text).to_bytes(4, "big") + text.encode()


DICTIONARY = b"".join(map(_counted, (*_WORDS.split(" "), *_MORE))) + _REST.encode()
"""What both sides compress headers with: section 2.6.10.1."""


@dataclass(frozen=True)
class Opened:
    """The client opens a stream."""

    stream: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Said:
    """Data on a stream. last: the client says no more on it."""

    stream: int
    data: bytes = field(default=b"", repr=False)
    last: bool = False


@dataclass(frozen=True)
class Reset:
    """The client gives a stream up."""

    stream: int


@dataclass(frozen=True)
class Pinged:
    """answer: what is to be sent back."""

    answer: bytes


class Framing:
    """One connection, the server's side. What is made is sent in the order in which it was made."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._rest = b""

    def read(self, data: bytes) -> Iterator[Opened | Said | Reset | Pinged]:
        """What the frames say that are whole by now; those that nobody here needs are passed over.

        Raises ConnectionError for what is no frame.
        """
        self._rest += data
        while len(self._rest) >= _HEAD:
            end = _HEAD + int.from_bytes(self._rest[5:_HEAD], "big")
            if len(self._rest) < end:
                return
            frame, self._rest = self._rest[:end], self._rest[end:]
            yield from self._understood(frame)

    def accepted(self, stream: int) -> bytes:
        """A stream is taken on."""
        headers = self._deflate.compress((0).to_bytes(4, "big")) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control(_SYN_REPLY, stream.to_bytes(4, "big") + headers)

    def said(self, stream: int, data: bytes, *, last: bool = False) -> bytes:
        head = stream.to_bytes(4, "big") + bytes([_FIN if last else 0]) + len(data).to_bytes(3, "big")
        return head + data

    def _understood(self, frame: bytes) -> Iterator[Opened | Said | Reset | Pinged]:
        last, content = bool(frame[4] & _FIN), frame[_HEAD:]
        if not frame[0] & _CONTROL:
            yield Said(int.from_bytes(frame[:4], "big"), content, last)
            return
        kind, stream = int.from_bytes(frame[2:4], "big"), int.from_bytes(content[:4], "big")
        if kind == _SYN_STREAM:
            yield Opened(stream, self._headers(content[10:]))
            if last:
                yield Said(stream, last=True)
        elif kind == _RST_STREAM:
            yield Reset(stream)
        elif kind == _PING:
            yield Pinged(frame)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block)
        except zlib.error as error:
            raise ConnectionError(str(error)) from error
        made, place = {}, 4
        for _ in range(int.from_bytes(plain[:4], "big")):
            name, place = _text(plain, place)
            made[name], place = _text(plain, place)
        return made


def _control(kind: int, content: bytes) -> bytes:
    head = bytes((_CONTROL, _VERSION)) + kind.to_bytes(2, "big") + bytes(1) + len(content).to_bytes(3, "big")
    return head + content


def _text(plain: bytes, place: int) -> tuple[str, int]:
    begin = place + 4
    end = begin + int.from_bytes(plain[place:begin], "big")
    return plain[begin:end].decode(), end
