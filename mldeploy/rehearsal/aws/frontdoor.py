"""The one door before the stand-in: every API call passes it, is written down, and meets the fault ordered for it."""

from __future__ import annotations

import io
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from mldeploy.rehearsal.aws import wire
from mldeploy.rehearsal.aws.calls import Call, Request, understood
from mldeploy.rehearsal.aws.faults import Kind, Orders, Strike
from mldeploy.rehearsal.aws.serving import cut

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.aws.wire import Application

USER = "arn:aws:iam::123456789012:user/rehearsal"
"""Who the caller is. The account is the one that moto plays."""
_PATIENCE = 0.1
"""Seconds between two looks whether a client that is held is still there."""


class FrontDoor:
    """A WSGI application around the stand-in. key: the one access key id that exists."""

    def __init__(self, stand_in: Application, key: str) -> None:
        self.orders = Orders()
        self._stand_in = stand_in
        self._key = key
        self._mutex = threading.Lock()
        self._calls: list[Call] = []

    @property
    def calls(self) -> tuple[Call, ...]:
        """What has come in, oldest first."""
        with self._mutex:
            return tuple(self._calls)

    def forget(self) -> None:
        """Begin to number anew."""
        with self._mutex:
            self._calls.clear()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        body = _body(environ)
        authorization, target = (str(environ.get(name, "")) for name in ("HTTP_AUTHORIZATION", "HTTP_X_AMZ_TARGET"))
        request = understood(authorization, target, body)
        if request.key != self._key:
            return wire.unknown_key(request)(environ, start)
        strike = self._record(request)
        if strike is None:
            return self._stand_in(environ, start)
        return self._strike(request, strike, environ, start)

    def _record(self, request: Request) -> Strike | None:
        with self._mutex:  # one call's number and its fault belong together
            self._calls.append(Call(len(self._calls) + 1, request.service, request.operation, request.is_writing))
            return self.orders.next(request.action)

    def _strike(
        self, request: Request, strike: Strike, environ: WSGIEnvironment, start: StartResponse
    ) -> Iterable[bytes]:
        kind = strike.fault.kind
        if kind is Kind.DELAY:
            self.orders.strike()
            self.orders.hold(strike, strike.fault.seconds)
            return self._stand_in(environ, start)
        if kind in (Kind.LOST, Kind.CUT_AFTER):
            Response.from_app(self._stand_in, environ, buffered=True)
        self.orders.strike()
        if kind in _REFUSALS:
            return _REFUSALS[kind](request)(environ, start)
        connection: socket.socket = environ["werkzeug.socket"]
        if kind in (Kind.LOST, Kind.TIMEOUT):
            self._hold(connection, strike)
        raise cut(connection)

    def _hold(self, connection: socket.socket, strike: Strike) -> None:
        """Keep the client waiting until it leaves, the time is over, or the orders are cleared."""
        deadline = time.monotonic() + strike.fault.seconds
        while time.monotonic() < deadline and not _has_left(connection):
            if self.orders.hold(strike, _PATIENCE):
                return


_REFUSALS: dict[Kind, Callable[[Request], wire.Application]] = {
    Kind.THROTTLE: wire.throttled,
    Kind.ERROR: wire.failed,
    Kind.DENIED: lambda request: wire.denied(request, USER),
}


def _body(environ: WSGIEnvironment) -> bytes:
    """The request's body, which whoever comes next can read again."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _has_left(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
