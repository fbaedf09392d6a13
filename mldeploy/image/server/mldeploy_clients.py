"""The clients of our gunicorn worker, read and written by its main thread: never imported by mldeploy.

Whoever sends or reads slowly holds no thread, and has deadlines. See `mldeploy_wsgi`.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from selectors import EVENT_READ as READ
from selectors import EVENT_WRITE as WRITE
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]  # it is the container's, not ours
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from mldeploy_answers import UNREAD, AnsweringWorker  # type: ignore[import-not-found]  # these are beside this file
from mldeploy_connection import Connection  # type: ignore[import-not-found]
from mldeploy_framing import BodyTooLargeError, MalformedBodyError  # type: ignore[import-not-found]
from mldeploy_limits import (  # type: ignore[import-not-found]
    BODY_RATE,
    BODY_SECONDS,
    HEAD_SECONDS,
    LINGER_BYTES,
    LINGER_SECONDS,
    READ_RATE,
    READ_SECONDS,
    has_sent,
    stop_linger,
)

AHEAD = 65536
"""Bytes that a client may send of its next requests before it has its response."""


class ClientWorker(AnsweringWorker):  # type: ignore[misc]
    """Reads requests, sends responses and closes connections, as the selector of the main thread says."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.stopping = 0.0
        self.limit = 0

    def serve_client(self, connection: Connection, events: int) -> None:
        """Read or write what a connection is ready for."""
        if events & WRITE:
            self._flush(connection)
        if events & READ and not connection.is_closed:
            self._receive(connection)

    def _receive(self, connection: Connection) -> None:
        if connection.output.is_detached:
            self._watch(connection, 0)
            return
        try:
            data = connection.sock.recv(65536)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._drop(connection)
            return
        if connection.is_lingering:
            connection.received += len(data)
            if not data or connection.received > LINGER_BYTES:
                self._drop(connection)
        elif data:
            self._take(connection, data)
        else:
            self._end(connection)

    def _take(self, connection: Connection, data: bytes) -> None:
        connection.take(data)
        if connection.is_busy or connection.is_closing:
            if len(connection.incoming) > AHEAD:
                self._watch(connection, connection.events & ~READ)
            return
        with self.lock:
            self.held += len(data)
            is_full = self.held > self.limit
        connection.held += len(data)
        if is_full and connection.body is not None and connection.held > self.limit:
            self._refuse_size(connection)  # with its framing, this body alone is too large
        elif is_full and connection.body is not None:
            self._refuse(connection, 503, "Service Unavailable", "Too much is being uploaded.")
        else:
            self._advance(connection)

    def _end(self, connection: Connection) -> None:
        """The client sends nothing more; it may still read."""
        connection.is_at_end = True
        if connection.is_busy or connection.output.pending:
            self._watch(connection, connection.events & ~READ)
        else:
            self._drop(connection)

    def _advance(self, connection: Connection) -> None:
        """Let the app answer, if the request is complete."""
        try:
            if not connection.next_request(self.cfg, self.limit):
                if connection.is_at_end:
                    self._drop(connection)
                return
        except ParseException as error:
            self.handle_error(connection.request, connection.output, connection.client, error)
            self._close(connection)
            return
        except (OSError, StopIteration, ValueError) as error:  # a header that ends where gunicorn expects more of it
            self._refuse(connection, 400, "Bad Request", f"Malformed header: {error}")
            return
        except MalformedBodyError as error:
            self._refuse(connection, 400, "Bad Request", f"Malformed body: {error}")
            return
        except BodyTooLargeError:
            self._refuse_size(connection)
            return
        connection.is_busy = True
        with self.lock:
            self.answering += 1
        self._publish()
        self.jobs.put(connection)

    def _refuse_size(self, connection: Connection) -> None:
        self._refuse(connection, 413, "Content Too Large", f"The body may have {self.limit} bytes.")

    def _refuse(self, connection: Connection, status: int, reason: str, message: str) -> None:
        self.log.warning("Invalid request from ip=%s: %s %s", _address(connection.client), reason, message)
        with suppress(OSError):
            util.write_error(connection.output, status, reason, message)
        self._close(connection)

    def _close(self, connection: Connection) -> None:
        """Send what waits, and say that nothing follows. What the client still sends is dropped, so it can read."""
        connection.is_closing = True
        if connection.output.pending:
            self._watch(connection, WRITE)
            return
        if connection.output.is_broken or connection.is_at_end or connection.output.is_detached:
            self._drop(connection)
            return
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_WR)
        connection.is_lingering = True
        connection.received, connection.since = 0, time.monotonic()
        connection.incoming.clear()
        self._watch(connection, READ)

    def _drop(self, connection: Connection) -> None:
        if connection.is_closed:
            return
        connection.is_closed = True
        self._watch(connection, 0)
        connection.output.close()
        self.connections.discard(connection)
        if not connection.is_busy:
            self._release(connection)
        if connection.is_suspended:
            self._continue(connection)
        self._publish()

    def _watch(self, connection: Connection, events: int) -> None:
        if events == connection.events:
            return
        if not connection.events:
            self.selector.register(connection.sock, events, connection)
        elif events:
            self.selector.modify(connection.sock, events, connection)
        else:
            self.selector.unregister(connection.sock)
        connection.events = events

    def _flush(self, connection: Connection) -> None:
        if connection.output.flush():
            self._watch(connection, connection.events & ~WRITE)
        self._resume(connection)

    def _resume(self, connection: Connection) -> None:
        """Go on with a connection that a thread has given back, or that has been sent something."""
        if connection.is_closed:
            return
        pending = connection.output.pending
        if pending:
            self._watch(connection, connection.events | WRITE)
        if connection.is_suspended and pending <= UNREAD // 2:
            self._continue(connection)
        if connection.is_busy or connection.is_lingering:
            return
        if connection.is_closing:
            self._close(connection)
        elif connection.output.is_broken:
            self._drop(connection)
        elif not pending:
            if not connection.is_at_end:
                self._watch(connection, READ)
            self._advance(connection)

    def _continue(self, connection: Connection) -> None:
        connection.is_suspended = False
        self.jobs.put(connection)

    def _check_time(self, connection: Connection, now: float) -> None:
        """Give a client up that has run out of time."""
        if connection.output.pending:
            self._check_reading(connection, now)
            return
        connection.checked = (0.0, 0)
        if connection.is_lingering:
            if now > connection.since + (min(LINGER_SECONDS, 1) if self.stopping else LINGER_SECONDS):
                self._drop(connection)
        elif connection.is_busy:
            return
        elif connection.received:
            late = HEAD_SECONDS if connection.body is None else BODY_SECONDS + connection.received / BODY_RATE
            if now > connection.since + late:
                self._refuse(connection, 408, "Request Timeout", "The request did not arrive in time.")
        elif now > self._patience(connection) and not has_sent(connection.sock):
            self._drop(connection)

    def _patience(self, connection: Connection) -> float:
        """Until when an idle connection is kept."""
        if not self.stopping:
            return float(connection.since + max(1, int(self.cfg.keepalive)))
        linger = stop_linger(connection.interval, connection.has_asked)
        return float(max(connection.since, self.stopping) + linger)

    def _check_reading(self, connection: Connection, now: float) -> None:
        """Each READ_SECONDS a client must take some of what waits for it."""
        when, sent = connection.checked
        if not when:
            connection.checked = (now, connection.output.sent)
        elif now > when + READ_SECONDS:
            if connection.output.sent - sent < READ_RATE * READ_SECONDS:
                self.log.warning("ip=%s does not read its response.", _address(connection.client))
                self._drop(connection)
            connection.checked = (now, connection.output.sent)


def _address(client: Any) -> str:
    return client[0] if isinstance(client, tuple) else str(client)
