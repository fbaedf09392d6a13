"""One client's connection to the server in the container: never imported by mldeploy.

What a client sends is collected here until it is a whole request, and what it does not read yet waits here. Neither
needs a thread, so a slow client holds up nobody but itself.
"""

from __future__ import annotations

import errno
import re
import socket
import time
from collections import deque
from contextlib import suppress
from threading import Lock
from typing import Any

from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]  # it is the container's, not ours
from gunicorn.http.errors import InvalidHeader, LimitRequestHeaders  # type: ignore[import-untyped]
from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]
from mldeploy_framing import ChunkedBody, SizedBody  # type: ignore[import-not-found]  # beside this file in the image
from mldeploy_limits import MAX_HEAD  # type: ignore[import-not-found]

_HEAD_END = b"\r\n\r\n"
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")


class ClientOutput:
    """The socket as gunicorn's Response writes to it: nothing blocks, and what the kernel does not take waits.

    `wake` is called, from any thread, when something begins to wait.
    """

    def __init__(self, sock: socket.socket, wake: Any) -> None:
        self.pending = 0
        self.sent = 0
        self.is_broken = False
        self.is_detached = False
        self.is_corked = False
        self._sock = sock
        self._wake = wake
        self._pieces: deque[memoryview] = deque()
        self._lock = Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def sendall(self, data: bytes) -> None:
        """Send `data`, or as much as is possible now and the rest later. Raises BrokenPipeError."""
        with self._lock:
            if self.is_broken:
                raise BrokenPipeError(errno.EPIPE, "the client is gone")
            self._pieces.append(memoryview(data))
            self.pending += len(data)
        if not self.is_corked and not self.flush():
            self._wake()

    def send(self, data: bytes) -> int:
        """gunicorn sends interim responses this way, when it is too late: the body is already here."""
        return len(data)

    def gettimeout(self) -> float:
        """For gunicorn, which otherwise changes the socket's mode."""
        return 0.0

    def uncork(self) -> None:
        """Send what was collected since `is_corked` was set: header and body in one packet."""
        self.is_corked = False
        if self.pending and not self.flush():
            self._wake()

    def flush(self) -> bool:
        """Send what waits. True if nothing is left, which includes that the client is gone."""
        with self._lock:
            while self._pieces and not self.is_broken:
                if len(self._pieces) > 1 and self.pending <= MAX_HEAD:
                    joined = memoryview(b"".join(self._pieces))
                    self._pieces.clear()
                    self._pieces.append(joined)
                try:
                    count = self._sock.send(self._pieces[0])
                except (BlockingIOError, InterruptedError):
                    return False
                except OSError:
                    self._break()
                    return True
                self.pending -= count
                self.sent += count
                rest = self._pieces.popleft()[count:]
                if rest:
                    self._pieces.appendleft(rest)
        return True

    def _break(self) -> None:
        self.is_broken = True
        self.pending = 0
        self._pieces.clear()

    def close(self) -> None:
        """Close the socket; a thread that still writes gets BrokenPipeError."""
        with self._lock:
            self._break()
            with suppress(OSError):
                self._sock.close()

    def dup(self) -> socket.socket:
        """Let the app have the connection: packages that speak WebSocket in a WSGI app take it from the environment."""
        self.is_detached = True
        self._sock.setblocking(True)
        return self._sock.dup()


class Connection:
    """All that is known of one client. Only `output` is used by another thread than the worker's main one."""

    def __init__(self, sock: socket.socket, client: Any, server: Any, wake: Any) -> None:
        sock.setblocking(False)
        self.sock, self.client, self.server = sock, client, server
        self.output = ClientOutput(sock, lambda: wake(self))
        self.incoming = bytearray()
        self.request: Any = None
        self.body: SizedBody | ChunkedBody | None = None
        self.exchange: Any = None
        self.events = 0
        self.held = 0
        """Bytes that count towards what the worker holds."""
        self.received = 0
        """Bytes of the request that is being read or answered."""
        self.since = time.monotonic()
        """When what the connection does now began: being idle, a request, lingering."""
        self.interval = 0.0
        """Seconds that the client has been idle between its last two requests; 0 before its second."""
        self.has_asked = self.is_busy = self.is_suspended = self.is_at_end = False
        self.is_closing = self.is_lingering = self.is_closed = False
        self.checked = (0.0, 0)
        """When the client was last checked for reading its response, and how much it had been sent."""
        self._scanned = 0

    @property
    def is_idle(self) -> bool:
        """Between requests: nothing of the next one has arrived."""
        return not (self.is_busy or self.received or self.is_lingering or self.output.pending)

    def take(self, data: bytes) -> None:
        """Add what has arrived."""
        if not self.received and not self.is_busy:
            now = time.monotonic()
            self.interval = now - self.since if self.has_asked else 0.0
            self.since = now
        self.received += len(data)
        self.incoming += data

    def next_request(self, cfg: Any, limit: int) -> bool:
        """Whether `request` and `body` are complete. limit: bytes of a body.

        Raises gunicorn's ParseException, MalformedBodyError, BodyTooLargeError.
        """
        if self.request is None and not self._parse_head(cfg, limit):
            return False
        if not self.body.feed(self.incoming):  # type: ignore[union-attr]
            return False
        self.body.content.seek(0)  # type: ignore[union-attr]
        return True

    def reset(self) -> None:
        """Be ready for the next request, of which some may be here already."""
        self.request = self.body = self.exchange = None
        self.received = len(self.incoming)
        self.since = time.monotonic()
        self.has_asked = True
        self._scanned = 0

    def _parse_head(self, cfg: Any, limit: int) -> bool:
        end = self.incoming.find(_HEAD_END, max(0, self._scanned - 3))
        if _BARE_LINE_FEED.search(self.incoming, max(0, self._scanned - 1), end if end >= 0 else len(self.incoming)):
            raise InvalidHeader("bare line feed")
        self._scanned = len(self.incoming)
        if end < 0:
            if self._scanned > max(MAX_HEAD, cfg.limit_request_line + cfg.limit_request_field_size):
                raise LimitRequestHeaders("too long")
            return False
        head = bytes(self.incoming[: end + 4])
        del self.incoming[: end + 4]
        self.request = next(RequestParser(cfg, iter([head]), self.client))
        self.body = _body(self.request, limit)
        if self._expects_continue():
            self.output.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _expects_continue(self) -> bool:
        if self.incoming or self.request.version < (1, 1):
            return False
        return any(name == "EXPECT" and value.lower() == "100-continue" for name, value in self.request.headers)


def _body(request: Any, limit: int) -> SizedBody | ChunkedBody:
    """What collects the request's body, as gunicorn understands its header. Raises InvalidHeader, BodyTooLargeError."""
    reader = request.body.reader
    if not isinstance(reader, ChunkedReader):
        return SizedBody(reader.length, limit)
    if request.version < (1, 1) or any(name == "CONTENT-LENGTH" for name, _ in request.headers):
        raise InvalidHeader("TRANSFER-ENCODING", req=request)
    return ChunkedBody(limit)
