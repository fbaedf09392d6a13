"""Bodies of HTTP/1.1 messages: passed on piece by piece as they arrive, and never collected.

Standard: RFC 9112, sections 6.3 and 7.1. Chunks are checked and written anew; their extensions and the fields that
follow them are dropped.
"""

from __future__ import annotations

import re

from mldeploy_proxy.head import Framing, MalformedError
from mldeploy_proxy.stream import BrokenError, Stream

MAX_LINE = 1024
"""Bytes of a chunk's size with its extensions."""
MAX_TRAILERS = 8192
"""Bytes of all fields that follow a chunked body."""

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")


async def relay(source: Stream, sink: Stream, framing: Framing) -> None:
    """Pass a body on. Raises BrokenError if a side ends too early, MalformedError."""
    if framing.chunked:
        await _relay_chunks(source, sink)
    elif framing.length is None:
        while source.buffer or await source.fill():
            await sink.send(source.take(len(source.buffer)))
    else:
        left = framing.length
        while left:
            if not source.buffer and not await source.fill():
                raise BrokenError
            piece = source.take(left)
            left -= len(piece)
            await sink.send(piece)


async def _relay_chunks(source: Stream, sink: Stream) -> None:
    chunks = Chunks()
    while True:
        piece = chunks.take(source.buffer)
        if piece is None:
            if not await source.fill():
                raise BrokenError
        elif piece:
            await sink.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        else:
            await sink.send(b"0\r\n\r\n")
            return


class Chunks:
    """The pieces of a chunked body."""

    def __init__(self) -> None:
        self._left = 0
        self._after_chunk = self._in_trailers = False
        self._trailers = 0

    def take(self, data: bytearray) -> bytes | None:
        """Take a piece off the front of `data`; b"" at the end, None if more is needed. Raises MalformedError."""
        while not self._left:
            line = _take_line(data, MAX_TRAILERS if self._in_trailers else MAX_LINE)
            if line is None:
                return None
            if self._in_trailers:
                if self._ends(line):
                    return b""
            elif self._after_chunk:
                if line:
                    raise MalformedError("no end of line after a chunk")
                self._after_chunk = False
            else:
                self._begin(line)
        piece = bytes(data[: self._left])
        del data[: len(piece)]
        self._left -= len(piece)
        self._after_chunk = not self._left
        return piece or None

    def _begin(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise MalformedError("invalid chunk size")
        self._left = int(match[1], 16)
        self._in_trailers = not self._left

    def _ends(self, line: bytes) -> bool:
        self._trailers += len(line)
        if line and (self._trailers > MAX_TRAILERS or not _TRAILER.fullmatch(line)):
            raise MalformedError("invalid trailer")
        return not line


def _take_line(data: bytearray, limit: int) -> bytes | None:
    """Take the first line off `data`; None while it is incomplete. Raises MalformedError."""
    end = data.find(b"\n", 0, limit + 2)
    if end < 0:
        if len(data) > limit:
            raise MalformedError("line too long")
        return None
    if data[end - 1 : end] != b"\r":
        raise MalformedError("bare line feed")
    line = bytes(data[: end - 1])
    del data[: end + 1]
    return line
