"""HTTP responses with limits: a total deadline, a size limit, and cancellation by Ctrl-C.

A timeout of `requests` applies to one packet, so a server that sends a byte a second never times out. Here bytes are
counted and timed at the socket, so status lines, headers, interim responses, chunks and trailers are all limited.
Standard: RFC 9112.
"""

from __future__ import annotations

import contextlib
import io
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError
from urllib3.poolmanager import PoolManager, pool_classes_by_scheme

from mldeploy.core.parsing import parse_json

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from mldeploy.core.monitor import Monitor

SIZE_LIMIT = 16 << 20
"""Maximum body size, decompressed. Registries and clouds send about a hundredth of it."""
SECONDS = 60.0
"""Default time from the end of a request to the end of its response."""
MAX_REDIRECTS = 5
_HEAD_LIMIT = 1 << 20
_CHUNK = 1 << 16


class AnswerTooLargeError(RequestException):
    """A body exceeds its limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the answer is larger than {limit >> 20} MiB")


@dataclass
class ReadBudget:
    """The limits of one thread's reads. seconds: for each response. deadline: for all responses together."""

    seconds: float
    size: int
    deadline: float | None = None
    aborted: bool = False
    _ends_at: float = 0.0
    _left: int = 0
    _sockets: list[socket.socket] = field(default_factory=list)

    def begin_answer(self, connection: socket.socket) -> None:
        """Start the limits of a response from a connection."""
        self._ends_at = time.monotonic() + self.seconds
        if self.deadline is not None:
            self._ends_at = min(self._ends_at, self.deadline)
        self._left = self.size + _HEAD_LIMIT
        self.watch(connection)

    def watch(self, connection: socket.socket) -> None:
        """Register the connection that `abort` ends."""
        self._sockets = [connection]
        if self.aborted:
            self.abort()

    def remaining(self) -> float:
        """Return the seconds left for the response. Raises TimeoutError if none are left, or after `abort`."""
        left = self._ends_at - time.monotonic()
        if left <= 0 or self.aborted:
            raise TimeoutError("timed out")
        return left

    def count(self, size: int) -> None:
        """Count bytes that were read. Raises ConnectionAbortedError beyond the limit."""
        self._left -= size
        if self._left < 0:
            raise ConnectionAbortedError(f"the answer is larger than {self.size >> 20} MiB")

    def abort(self) -> None:
        """End the current read. May be called from any thread or signal handler."""
        self.aborted = True
        for each in self._sockets:
            with contextlib.suppress(OSError, TypeError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # not SSLSocket's own, which changes its state as well


_current: ContextVar[ReadBudget | None] = ContextVar("budget", default=None)


@contextmanager
def bounded(seconds: float, *, size: int = SIZE_LIMIT, monitor: Monitor | None = None) -> Iterator[ReadBudget]:
    """Limit all reads of this thread to `seconds` in total, and end them if the user cancels."""
    budget = ReadBudget(seconds, size, time.monotonic() + seconds)
    with _use_budget(budget), monitor.on_stop(budget.abort) if monitor else contextlib.nullcontext():
        yield budget


@contextmanager
def bounded_answers(seconds: float, *, size: int = SIZE_LIMIT) -> Iterator[None]:
    """Limit each response that this thread reads to `seconds`. A retry starts anew."""
    with _use_budget(ReadBudget(seconds, size)):
        yield


@contextmanager
def _use_budget(budget: ReadBudget) -> Iterator[None]:
    token = _current.set(budget)
    try:
        yield
    finally:
        _current.reset(token)


class BoundedAdapter(HTTPAdapter):
    """Limits each response: to the limits of `bounded` inside that block, else to its own.

    A body is read immediately, unless it is streamed inside a `bounded` block.
    """

    def __init__(self, *, seconds: float = SECONDS, size: int = SIZE_LIMIT, **options: Any) -> None:
        self._seconds = seconds
        self._size = size
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        bound_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        bound_pools(manager)
        return manager

    def send(self, request: requests.PreparedRequest, stream: bool = False, **options: Any) -> requests.Response:  # type: ignore[override]
        entered = _current.get()
        budget = entered or ReadBudget(self._seconds, self._size)
        with _use_budget(budget) if entered is None else contextlib.nullcontext():
            response = super().send(request, stream=True, **options)
            if not stream or response.is_redirect:
                keep_body(response, read_body(response, budget.size))
            return response


def bounded_session(*, seconds: float = SECONDS, size: int = SIZE_LIMIT, **options: Any) -> requests.Session:
    """Return a session that limits each response to `seconds`. options: of the adapter, such as `max_retries`."""
    session = requests.Session()
    session.max_redirects = MAX_REDIRECTS
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(seconds=seconds, size=size, **options))
    return session


def read_body(response: requests.Response, limit: int) -> bytes:
    """Return the decompressed body. Raises AnswerTooLargeError, RequestException."""
    body = bytearray()
    with response:
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > limit:
                raise AnswerTooLargeError(limit)
    return bytes(body)


def read_start(response: requests.Response, limit: int) -> bytes:
    """Return the first bytes of a body. Raises RequestException."""
    body = bytearray()
    with response:
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) >= limit:
                break
    return bytes(body[:limit])


def keep_body(response: requests.Response, body: bytes) -> None:
    """Set a response's `content` to a body that was read."""
    response._content = body  # noqa: SLF001 - requests reads a body whole, or leaves it to its caller
    response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001


def read_json(response: requests.Response) -> object:
    """Return the JSON document of a body. Raises ValueError, also if it is nested too deeply."""
    return parse_json(response.content)


def bound_pools(manager: PoolManager) -> None:
    """Make a pool manager use limited connections. A SOCKS manager is left as it is."""
    if manager.pool_classes_by_scheme == pool_classes_by_scheme:
        manager.pool_classes_by_scheme = {"http": _BoundedPool, "https": _BoundedTlsPool}


class _BoundedReader(io.RawIOBase):
    """Reads a connection within the current limits."""

    def __init__(self, connection: socket.socket, raw: io.RawIOBase) -> None:
        self._connection = connection
        self._raw = raw
        self._pause = connection.gettimeout()
        if budget := _current.get():
            budget.begin_answer(connection)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        budget = _current.get()
        if budget is None:
            return self._raw.readinto(buffer)
        left = budget.remaining()
        self._connection.settimeout(left if self._pause is None else min(left, self._pause))
        count = self._raw.readinto(buffer)
        budget.count(count or 0)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedAnswer(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_BoundedReader(sock, self.fp.detach()))


class _BoundedConnection(HTTPConnection):
    response_class = _BoundedAnswer

    def connect(self) -> None:
        super().connect()
        _watch(self.sock)


class _BoundedTlsConnection(HTTPSConnection):
    response_class = _BoundedAnswer

    def connect(self) -> None:
        super().connect()
        _watch(self.sock)


def _watch(connection: socket.socket | None) -> None:
    if connection is not None and (budget := _current.get()):
        budget.watch(connection)


class _BoundedPool(HTTPConnectionPool):
    ConnectionCls = _BoundedConnection


class _BoundedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedTlsConnection


def innermost_reason(error: BaseException) -> str:
    """Return why a connection failed, in one line, without the exceptions that requests and urllib3 wrap around it."""
    inner = error
    if isinstance(error, RequestException) and error.args and isinstance(error.args[0], BaseException):
        inner = error.args[0]
    while isinstance(inner, MaxRetryError) and inner.reason is not None:
        inner = inner.reason
    reason = " ".join(str(inner).split()).rstrip(".")
    return (
        re.sub(r"^<?\w*[\w.]*(?:Connection|Pool)\w*(?:\(.*?\)| object at \w+>): ", "", reason) or type(inner).__name__
    )
