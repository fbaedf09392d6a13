"""The rehearsal's own interface, beside the cloud's: faults are ordered and calls are read here.

Every request bears the token: a page in a browser can reach an address of this machine, and must not be able to order.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.door.faults import Fault, Kind
from mldeploy.rehearsal.door.interface import PREFIX, TOKEN, Thing, Transfer
from mldeploy.rehearsal.door.ledger import Ledger

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.door.frontdoor import Application


class Transfers(Protocol):
    """A door that has written down what came through it."""

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        """Oldest first."""

    def forget(self) -> None:
        """Nothing has come through."""


NOTHING_MORE: Mapping[str, Callable[[Request], object]] = MappingProxyType({})


class Control:
    """A WSGI application in front of the front door. contents, reset: what only the stand-in itself can say and do.

    more: orders of its own, `POST quota`; each is given its request, and says what is answered in JSON.
    """

    def __init__(
        self,
        door: Application,
        ledger: Ledger,
        registry: Transfers,
        token: str,
        contents: Callable[[], Iterable[Thing]],
        reset: Callable[[], None],
        more: Mapping[str, Callable[[Request], object]] = NOTHING_MORE,
    ) -> None:
        self._door = door
        self._ledger = ledger
        self._registry = registry
        self._token = token
        self._contents = contents
        self._reset = reset
        self._more = more

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if not str(environ.get("PATH_INFO", "")).startswith(PREFIX):
            return self._door(environ, start)
        request = Request(environ)
        if not hmac.compare_digest(request.headers.get(TOKEN, "").encode(), self._token.encode()):
            return Response("not yours\n", 403)(environ, start)
        order = f"{request.method} {request.path.removeprefix(PREFIX)}"
        answers: dict[str, Callable[[Request], object]] = {
            "GET calls": lambda _: [asdict(call) for call in self._ledger.calls],
            "GET transfers": lambda _: [asdict(transfer) for transfer in self._registry.transfers],
            "GET contents": lambda _: [asdict(thing) for thing in self._contents()],
            "POST faults": self._order,
            "DELETE faults": lambda _: self._ledger.orders.clear(),
            "GET struck": self._struck,
            "POST reset": lambda _: self._forget(),
            **self._more,
        }
        if order not in answers:
            return Response("there is no such thing\n", 404)(environ, start)
        return Response(json.dumps(answers[order](request)), content_type="application/json")(environ, start)

    def _order(self, request: Request) -> None:
        content = request.get_json()
        self._ledger.orders.add(Fault(**{**content, "kind": Kind(content["kind"])}))

    def _struck(self, request: Request) -> int:
        return self._ledger.orders.struck(int(request.args["count"]), float(request.args["seconds"]))

    def _forget(self) -> None:
        self._ledger.orders.clear()
        self._reset()
        self._registry.forget()
        self._ledger.forget()
