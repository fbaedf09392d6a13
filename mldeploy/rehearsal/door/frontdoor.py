"""The one door before a stand-in's HTTP: every call passes it, is written down, and meets the fault ordered for it."""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from werkzeug.wrappers import Response

from mldeploy.core.sockets import readable
from mldeploy.rehearsal.door.faults import Kind, Orders, Strike
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.door.serving import cut

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    Application = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]
    """PEP 3333."""

_PATIENCE = 0.1
"""Seconds between two looks whether a client that is held is still there."""
REFUSED = (Kind.THROTTLE, Kind.ERROR, Kind.DENIED)
"""The faults that are answers, which each cloud words in its own way."""


class Asked(Protocol):
    """A request that has been understood."""

    @property
    def action(self) -> str:
        """The platform's own name of what is asked for: `ecs:CreateService`."""

    @property
    def is_writing(self) -> bool:
        """It may change something."""


AskedT = TypeVar("AskedT", bound=Asked)


class Language(Protocol[AskedT]):
    """How a cloud is spoken to, and how it says no."""

    def understood(self, environ: WSGIEnvironment, body: bytes) -> AskedT:
        """What a request asks for. Raises nothing."""

    def turned_away(self, asked: AskedT) -> Application | None:
        """What a caller without good credentials is told; None for one who may come in."""

    def refusal(self, kind: Kind, asked: AskedT) -> Application:
        """The answer that one of REFUSED is."""


class FrontDoor(Generic[AskedT]):
    """A WSGI application around the stand-in. ledger: where it is written down; other servers may share it."""

    def __init__(self, stand_in: Application, language: Language[AskedT], ledger: Ledger) -> None:
        self.ledger = ledger
        self._stand_in = stand_in
        self._language = language

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        asked = self._language.understood(environ, _body(environ))
        if refusal := self._language.turned_away(asked):
            return refusal(environ, start)
        strike = self.ledger.record(asked.action, writing=asked.is_writing)
        if strike is None:
            return self._stand_in(environ, start)
        return self._strike(asked, strike, environ, start)

    def _strike(self, asked: AskedT, strike: Strike, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        kind, orders = strike.fault.kind, self.ledger.orders
        if kind is Kind.DELAY:
            orders.strike()
            orders.hold(strike, strike.fault.seconds)
            return self._stand_in(environ, start)
        # What only reads has no effect to come first, and its answer may have no end, as that of a watch.
        if kind in (Kind.LOST, Kind.CUT_AFTER) and asked.is_writing:
            Response.from_app(self._stand_in, environ, buffered=True)
        orders.strike()
        if kind in REFUSED:
            return self._language.refusal(kind, asked)(environ, start)
        connection: socket.socket = environ["werkzeug.socket"]
        if kind in (Kind.LOST, Kind.TIMEOUT):
            hold(orders, strike, lambda: has_left(connection))
        raise cut(connection)


def hold(orders: Orders, strike: Strike, has_left: Callable[[], bool]) -> None:
    """Keep a client waiting until it leaves, the time is over, or the orders are cleared."""
    deadline = time.monotonic() + strike.fault.seconds
    while time.monotonic() < deadline and not has_left():
        if orders.hold(strike, _PATIENCE):
            return


def _body(environ: WSGIEnvironment) -> bytes:
    """The request's body, which whoever comes next can read again."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def has_left(connection: socket.socket) -> bool:
    """Whether the client of a request that has been read is there no more."""
    is_readable = bool(readable([connection], 0))
    if isinstance(connection, ssl.SSLSocket):  # nothing but its farewell can come from a client that waits
        return is_readable
    return is_readable and connection.recv(1, socket.MSG_PEEK) == b""
