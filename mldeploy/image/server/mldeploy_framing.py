"""Where the body of an HTTP/1.1 request ends: part of the server in the container, never imported by mldeploy.

Bodies are collected as they arrive and checked on the way, so that an app gets a whole body or no request at all.
Standard: RFC 9112, sections 6.3 and 7.1.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable

MAX_LINE = 1024
"""Bytes of a chunk's size with its extensions."""
MAX_TRAILERS = 8192
"""Bytes of all fields that follow a chunked body. They are dropped."""

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")


class MalformedBodyError(Exception):
    """The framing is not HTTP's: where the next request begins is unknown."""


class BodyTooLargeError(Exception):
    """The body has more bytes than the server accepts."""


class SizedBody:
    """A body of a known length. Raises BodyTooLargeError if it is longer than `limit`."""

    def __init__(self, length: int, limit: int) -> None:
        if length > limit:
            raise BodyTooLargeError
        self.content = io.BytesIO()
        self._left = length

    def feed(self, data: bytearray) -> bool:
        """Move the body's bytes from the front of `data` into `content`. True once the body is complete."""
        piece = data[: self._left]
        self.content.write(piece)
        del data[: len(piece)]
        self._left -= len(piece)
        return not self._left


class ChunkedBody:
    """A body in chunks, which `content` holds without their sizes."""

    def __init__(self, limit: int) -> None:
        self.content = io.BytesIO()
        self._limit = limit
        self._left = 0
        self._trailers = 0
        self._step: Callable[[bytearray], bool] = self._size

    def feed(self, data: bytearray) -> bool:
        """Do what SizedBody does. Raises MalformedBodyError, BodyTooLargeError."""
        while self._step(data):
            if self._step == self._finish:
                return True
        return False

    def _size(self, data: bytearray) -> bool:
        line = _line(data, MAX_LINE)
        if line is None:
            return False
        match = _SIZE.fullmatch(line)
        if match is None:
            raise MalformedBodyError("invalid chunk size")
        self._left = int(match[1], 16)
        if self.content.tell() + self._left > self._limit:
            raise BodyTooLargeError
        self._step = self._data if self._left else self._trailer
        return True

    def _data(self, data: bytearray) -> bool:
        piece = data[: self._left]
        self.content.write(piece)
        del data[: len(piece)]
        self._left -= len(piece)
        if self._left:
            return False
        self._step = self._after
        return True

    def _after(self, data: bytearray) -> bool:
        if not b"\r\n".startswith(data[:2]):
            raise MalformedBodyError("no end of line after a chunk")
        if len(data) < 2:
            return False
        del data[:2]
        self._step = self._size
        return True

    def _trailer(self, data: bytearray) -> bool:
        line = _line(data, MAX_TRAILERS - self._trailers)
        if line is None:
            return False
        self._trailers += len(line) + 2
        if line and not _FIELD.fullmatch(line):
            raise MalformedBodyError("invalid trailer")
        if not line:
            self._step = self._finish
        return True

    def _finish(self, _data: bytearray) -> bool:
        return True


def _line(data: bytearray, limit: int) -> bytes | None:
    """Take the first line off `data`; None while it is incomplete. Raises MalformedBodyError."""
    end = data.find(b"\n", 0, limit + 2)
    if end < 0:
        if len(data) > limit:
            raise MalformedBodyError("line too long")
        return None
    if data[end - 1 : end] != b"\r":
        raise MalformedBodyError("bare line feed")
    line = bytes(data[: end - 1])
    del data[: end + 1]
    return line
