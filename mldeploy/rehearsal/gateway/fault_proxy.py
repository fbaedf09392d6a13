"""A WSGI proxy in front of a stand-in's HTTP API. It logs each call and injects the faults that are due."""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from werkzeug.wrappers import Response

from mldeploy.core.sockets import readable
from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.faults import FaultKind, FaultQueue, PendingFault
from mldeploy.rehearsal.gateway.serving import break_connection

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    Application = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]
    """PEP 3333."""

_POLL_SECONDS = 0.1
"""Interval of the checks whether a held client is still connected."""
RESPONSE_FAULTS = (FaultKind.THROTTLE, FaultKind.ERROR, FaultKind.DENIED)
"""Faults that are error responses. Each cloud has its own format for them."""


class RequestInfo(Protocol):
    """A parsed request."""

    @property
    def action(self) -> str:
        """The operation, by the platform's name for it: `ecs:CreateService`."""

    @property
    def is_writing(self) -> bool:
        """Whether it may change something."""


RequestInfoT = TypeVar("RequestInfoT", bound=RequestInfo)


class ProtocolAdapter(Protocol[RequestInfoT]):
    """Parses requests and builds error responses in one cloud's protocol."""

    def parse_request(self, environ: WSGIEnvironment, body: bytes) -> RequestInfoT:
        """Parse a request. Raises nothing."""

    def authenticate(self, request: RequestInfoT) -> Application | None:
        """Check the credentials. Returns the error response, or None if they are valid."""

    def refusal(self, kind: FaultKind, request: RequestInfoT) -> Application:
        """Build the error response for one of RESPONSE_FAULTS."""


class FaultProxy(Generic[RequestInfoT]):
    """A WSGI application around the stand-in. call_log: may be shared with other servers."""

    def __init__(self, stand_in: Application, adapter: ProtocolAdapter[RequestInfoT], call_log: CallLog) -> None:
        self.call_log = call_log
        self._stand_in = stand_in
        self._adapter = adapter

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = self._adapter.parse_request(environ, _body(environ))
        if refusal := self._adapter.authenticate(request):
            return refusal(environ, start)
        pending = self.call_log.record(request.action, writing=request.is_writing)
        if pending is None:
            return self._stand_in(environ, start)
        return self._inject(request, pending, environ, start)

    def _inject(
        self, request: RequestInfoT, pending: PendingFault, environ: WSGIEnvironment, start: StartResponse
    ) -> Iterable[bytes]:
        kind, faults = pending.fault.kind, self.call_log.faults
        if kind is FaultKind.DELAY:
            faults.count_injection()
            faults.hold(pending, pending.fault.seconds)
            return self._stand_in(environ, start)
        # A read has no effect to apply first, and its response may be endless (a watch).
        if kind in (FaultKind.LOST, FaultKind.CUT_AFTER) and request.is_writing:
            Response.from_app(self._stand_in, environ, buffered=True)
        faults.count_injection()
        if kind in RESPONSE_FAULTS:
            return self._adapter.refusal(kind, request)(environ, start)
        connection: socket.socket = environ["werkzeug.socket"]
        if kind in (FaultKind.LOST, FaultKind.TIMEOUT):
            hold_client(faults, pending, lambda: is_disconnected(connection))
        raise break_connection(connection)


def hold_client(faults: FaultQueue, pending: PendingFault, is_gone: Callable[[], bool]) -> None:
    """Keep a client waiting until it disconnects, the fault's time is over, or the faults are cleared."""
    deadline = time.monotonic() + pending.fault.seconds
    while time.monotonic() < deadline and not is_gone():
        if faults.hold(pending, _POLL_SECONDS):
            return


def _body(environ: WSGIEnvironment) -> bytes:
    """Read the request's body, and reset the stream so that it can be read again."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def is_disconnected(connection: socket.socket) -> bool:
    """Whether the client of a request that has been read has disconnected."""
    is_readable = bool(readable([connection], 0))
    if isinstance(connection, ssl.SSLSocket):  # a waiting client sends nothing but close_notify
        return is_readable
    return is_readable and connection.recv(1, socket.MSG_PEEK) == b""
