"""uvicorn's protocols for HTTP with deadlines for their clients: never imported by mldeploy.

uvicorn waits for ever for the rest of a request, and for a client to read its response. Neither holds a thread, but
files and memory.
"""

from __future__ import annotations

import asyncio
import resource
import time
from contextlib import suppress
from typing import Any

from mldeploy_limits import (  # type: ignore[import-not-found]  # it is beside this file in the image
    BODY_RATE,
    BODY_SECONDS,
    HEAD_SECONDS,
    LINGER_BYTES,
    LINGER_SECONDS,
    MAX_HEAD,
    READ_RATE,
    READ_SECONDS,
    has_sent,
    stop_linger,
)


class LingeringTransport:
    """A transport that lets the client read its last response: it is closed once the client has closed it.

    A socket that is closed while the client still sends is reset, and the response with it.
    """

    def __init__(self, transport: Any, protocol: Any) -> None:
        self.written = 0
        self.closing = 0.0
        """When it was to be closed; 0 if it was not."""
        self._transport = transport
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    @property
    def sent(self) -> int:
        """Bytes that the client, or the kernel, has taken."""
        return self.written - int(self._transport.get_write_buffer_size())

    def write(self, data: bytes) -> None:
        """See asyncio.WriteTransport."""
        self.written += len(data)
        if not self.closing:
            self._transport.write(data)

    def is_closing(self) -> bool:
        """See asyncio.BaseTransport."""
        return bool(self.closing) or self._transport.is_closing()

    def close(self) -> None:
        """See asyncio.BaseTransport: what is written already is sent."""
        if self.is_closing():
            return
        if self._transport.get_protocol() is not self._protocol or not self._transport.can_write_eof():
            self._transport.close()
            return
        self.closing = time.monotonic()
        with suppress(OSError, RuntimeError):
            self._transport.resume_reading()
        try:
            self._transport.write_eof()
        except (OSError, RuntimeError):
            self._transport.close()

    def close_now(self) -> None:
        """The client has nothing to read."""
        self._transport.close()


def most_connections() -> int:
    """How many clients there can be in one process."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 16384 if soft == resource.RLIM_INFINITY else min(16384, max(16, soft - 128))


class Guard:
    """What stands before uvicorn's protocol: `guarded` makes a class of both."""

    def connection_made(self: Any, transport: Any) -> None:
        """See asyncio.Protocol."""
        self.begun = 0.0
        """When the first byte of the request came that is being read; 0 if there is none."""
        self.received = 0
        self.idle_since = time.monotonic()
        self.interval = 0.0
        self.has_asked = self.has_head = self.in_message = False
        self.refusal: tuple[int, bytes] | None = None
        """What the last request gets once the ones before it are answered."""
        self.checked = (0.0, 0)
        super().connection_made(LingeringTransport(transport, self))  # type: ignore[misc]
        if len(self.connections) > most_connections():
            self._make_room()

    def data_received(self: Any, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self.transport.closing:
            self.received += len(data)
            if self.received > LINGER_BYTES:
                self.transport.close_now()
            return
        if self.refusal:
            return
        if not self.begun:
            self.begun, self.received = time.monotonic(), 0
            self.interval = self.begun - self.idle_since if self.has_asked else 0.0
        self.received += len(data)
        super().data_received(data)  # type: ignore[misc]
        if self._is_between_requests():
            self.begun = 0.0
            self.has_head = False
        elif not self.has_head and self.received > MAX_HEAD and not self.transport.closing:
            self._refuse(431, b"Request Header Fields Too Large")

    def on_message_begin(self: Any) -> None:
        """httptools: a request has begun."""
        self.in_message, self.has_head, self.head = True, False, 0
        super().on_message_begin()  # type: ignore[misc]

    def on_header(self: Any, name: bytes, value: bytes) -> None:
        """httptools: one of its header fields."""
        self.head += len(name) + len(value)
        super().on_header(name, value)  # type: ignore[misc]

    def on_headers_complete(self: Any) -> None:
        """httptools: its body follows."""
        if self.head + len(self.url) > MAX_HEAD:
            self._refuse(431, b"Request Header Fields Too Large")
        if self.transport.closing or self.refusal:
            return
        self.has_head = True
        super().on_headers_complete()  # type: ignore[misc]

    def on_body(self: Any, body: bytes) -> None:
        """httptools: some of its body."""
        if not (self.transport.closing or self.refusal):
            super().on_body(body)  # type: ignore[misc]

    def on_message_complete(self: Any) -> None:
        """httptools: it is complete."""
        self.in_message = self.has_head = False
        self.begun, self.received = time.monotonic(), 0  # what has come with it already belongs to the next one
        if not (self.transport.closing or self.refusal):
            super().on_message_complete()  # type: ignore[misc]

    def on_response_complete(self: Any) -> None:
        """uvicorn: the app has answered."""
        self.idle_since = time.monotonic()
        self.has_asked = True
        has_next = self._has_queued()
        super().on_response_complete()  # type: ignore[misc]
        if self.refusal and not has_next:
            self._refuse(*self.refusal)
        elif self.refusal or self._has_queued():
            self.flow.pause_reading()  # for each response that a client is sent, it could send thousands of requests

    def send_400_response(self: Any, msg: str) -> None:
        """uvicorn: this is not HTTP. The requests before it are answered all the same."""
        if self._is_answering_others():
            self._refuse_later(400, b"Bad Request")
        else:
            super().send_400_response(msg)  # type: ignore[misc]

    @property
    def is_idle(self: Any) -> bool:
        """Between requests: nothing of the next one has arrived."""
        return not (self.begun or self.transport.closing or (self.cycle and not self.cycle.response_complete))

    def check_time(self: Any, now: float, stopping: float) -> None:
        """Give the client up if it has run out of time. stopping: when the server was told to; 0 if it was not."""
        if self.transport.closing and now > self.transport.closing + (1 if stopping else LINGER_SECONDS):
            self.transport.abort()
        elif self.transport.get_write_buffer_size():
            self._check_reading(now)
        elif self.begun and not self.transport.closing:
            self._check_sending(now)
        elif self.is_idle and now > self._patience(stopping) and not self._has_sent():
            self.transport.close_now()
        if not self.transport.get_write_buffer_size():
            self.checked = (0.0, 0)

    def _patience(self: Any, stopping: float) -> float:
        since: float = self.idle_since
        if not stopping:
            return since + float(self.timeout_keep_alive)
        return max(since, stopping) + float(stop_linger(self.interval, self.has_asked))

    def _has_sent(self: Any) -> bool:
        sock = self.transport.get_extra_info("socket")
        return sock is not None and sock.fileno() >= 0 and has_sent(sock)

    def _check_sending(self: Any, now: float) -> None:
        if self.flow.read_paused or self._is_answering_others():  # it waits for the app
            self.begun = now
        late = BODY_SECONDS + self.received / BODY_RATE if self.has_head else HEAD_SECONDS
        if now > self.begun + late:
            self._refuse(408, b"Request Timeout")

    def _check_reading(self: Any, now: float) -> None:
        when, sent = self.checked
        if when and now > when + READ_SECONDS:
            if self.transport.sent - sent < READ_RATE * READ_SECONDS:
                self.logger.warning("A client does not read its response.")
                self.transport.abort()
                return
            when = 0.0
        if not when:
            self.checked = (now, self.transport.sent)

    def _has_queued(self: Any) -> bool:
        return bool(getattr(self, "pipeline", ()))  # h11 reads no request before the last one is answered

    def _is_answering_others(self: Any) -> bool:
        """Whether the app has not answered the requests before the one that is being read."""
        if self.has_head:
            return bool(self._has_queued())
        return bool(self.cycle and not self.cycle.response_complete)

    def _refuse_later(self: Any, status: int, reason: bytes) -> None:
        if self.has_head:
            self.pipeline.popleft()  # it was the last one
        self.refusal = status, reason
        self.flow.pause_reading()

    def _refuse(self: Any, status: int, reason: bytes) -> None:
        if not self.refusal and self._is_answering_others():
            self._refuse_later(status, reason)
            return
        self.logger.warning("Invalid request: %s", reason.decode())
        is_open = self.has_head and self.cycle is not None and not self.refusal  # the app has been called
        if not (is_open and self.cycle.response_started):
            head = b"HTTP/1.1 %d %s\r\nconnection: close\r\ncontent-length: %d\r\n" % (status, reason, len(reason))
            self.transport.write(head + b"content-type: text/plain\r\n\r\n" + reason)
        if is_open:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _make_room(self: Any) -> None:
        """Close the connection that has been idle for longest, or else the oldest with half a request."""
        others = [each for each in self.connections if isinstance(each, Guard) and each is not self]
        idle = [each for each in others if each.is_idle] or [each for each in others if each.begun]
        if idle:
            min(idle, key=lambda each: each.begun or each.idle_since).transport.close_now()  # type: ignore[attr-defined]

    def _is_between_requests(self: Any) -> bool:
        if not hasattr(self, "conn"):  # httptools
            return not self.in_message
        state = str(self.conn.their_state)  # h11
        self.has_head = state == "SEND_BODY"
        return state != "SEND_BODY" and not self.conn.trailing_data[0]


def guarded(protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
    """uvicorn's protocol behind a Guard."""
    return type(f"Guarded{protocol.__name__}", (Guard, protocol), {})
