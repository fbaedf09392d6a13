"""One TCP connection: what has arrived on it, and back pressure both ways."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from typing import cast

from mldeploy_proxy.head import MalformedError

PIECE = 1 << 16
"""Bytes after which reading pauses, and after which sending waits."""
MAX_HEAD = 1 << 16
"""Bytes of a message's first line and header fields."""
BODY_SECONDS, BODY_PACE = 20.0, 16384
"""How long a request's body may be waited for, and for how many bytes that have arrived it may take a second more."""
SEND_SECONDS = 20.0
"""For the other side to take what waits to be sent."""
FOREVER = float("inf")

_HEAD_END = b"\r\n\r\n"
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")


class BrokenError(Exception):
    """The other side has ended the connection in the middle of a message."""


class Stream(asyncio.Protocol):
    """A connection. buffer: what has arrived and is not used yet. deadline: when it is aborted (`time.monotonic`).
    patience: seconds for which more is waited for, in all; what arrives adds to them. is_tunnel: bytes pass both ways.

    asyncio's own streams hide what has arrived: whether a connection can be used again could not be told.
    """

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.deadline = self.patience = FOREVER
        self.is_reading_head = False
        self.is_at_end = self.is_tunnel = False
        self.transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._is_lost = self._is_paused = self._is_full = False
        self._arrival: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    # for the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(PIECE)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) > PIECE and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
        _wake(self._arrival)

    def eof_received(self) -> bool:
        self.is_at_end = True
        _wake(self._arrival)
        return True  # what is being sent is still wanted

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_at_end = self._is_lost = True
        _wake(self._arrival)
        _wake(self._room)

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        _wake(self._room)

    # for those who use it

    @property
    def peer(self) -> bytes:
        """The other side's address."""
        address = self.transport.get_extra_info("peername")
        return str(address[0]).encode() if address else b"unknown"

    @property
    def is_usable(self) -> bool:
        """Whether the other side has neither ended nor sent anything: then it can be given a request."""
        return not (self.is_at_end or self.buffer or self.transport.is_closing())

    async def fill(self) -> bool:
        """Wait for more; False if the other side has ended."""
        if self.is_at_end:
            return False
        if self._is_paused and len(self.buffer) <= PIECE:
            self._is_paused = False
            self.transport.resume_reading()
        size, started = len(self.buffer), time.monotonic()
        if self.patience != FOREVER:
            self.deadline = started + self.patience
        self._arrival = self._loop.create_future()
        try:
            await self._arrival
        finally:
            self._arrival = None
        count = len(self.buffer) - size
        if self.patience != FOREVER:
            self.patience += count / BODY_PACE - (time.monotonic() - started)
            self.deadline = FOREVER
        return count > 0

    def take(self, count: int) -> bytes:
        """Take at most so many bytes of what has arrived."""
        piece = bytes(self.buffer[:count])
        del self.buffer[: len(piece)]
        return piece

    async def read_request(self, idle: float, within: float) -> bytes | None:
        """Do what `read_head` does, in so many seconds for the first byte, and so many more for the others."""
        self.deadline = time.monotonic() + idle
        if not self.buffer and not await self.fill():
            return None
        self.is_reading_head, self.deadline = True, time.monotonic() + within
        try:
            return await self.read_head()
        finally:
            self.is_reading_head, self.deadline = False, FOREVER

    async def read_head(self) -> bytes | None:
        """Return a head without its last empty line; None if the other side has ended before its first byte.

        Raises MalformedError, BrokenError.
        """
        seen = 0
        while True:
            end = self.buffer.find(_HEAD_END, max(0, seen - 3), MAX_HEAD)
            if _BARE_LINE_FEED.search(self.buffer, max(0, seen - 1), end if end >= 0 else len(self.buffer)):
                raise MalformedError("bare line feed")
            if end >= 0:
                return self.take(end + 4)[:-4]
            seen = len(self.buffer)
            if seen >= MAX_HEAD:
                raise MalformedError("header too large", 431)
            if not await self.fill():
                if self.buffer:
                    raise BrokenError
                return None

    @property
    def is_behind(self) -> bool:
        """Whether the other side has yet to take what was sent."""
        return self._is_full

    async def send(self, data: bytes) -> None:
        """Send, and wait while the other side is behind. Raises BrokenError."""
        if self._is_lost or self.transport.is_closing():
            raise BrokenError
        self.transport.write(data)
        if self._is_full:
            self.deadline, before = time.monotonic() + SEND_SECONDS, self.deadline
            self._room = self._loop.create_future()
            try:
                await self._room
            finally:
                self._room, self.deadline = None, before
            if self._is_lost:
                raise BrokenError

    def end_sending(self) -> None:
        """Tell the other side that nothing more comes."""
        with contextlib.suppress(OSError):
            if not self.transport.is_closing():
                self.transport.write_eof()

    def close(self) -> None:
        """Close it once everything is sent."""
        self.transport.close()

    def abort(self) -> None:
        """Close it now."""
        self.transport.abort()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter and not waiter.done():
        waiter.set_result(None)
