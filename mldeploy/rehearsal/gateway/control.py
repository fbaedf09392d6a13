"""The control API of a stand-in: inject faults, read calls and contents, reset.

Every request needs the token: a page in a browser can reach local addresses, and must not control the stand-in.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.faults import FaultKind, FaultOrder
from mldeploy.rehearsal.gateway.proxy import PREFIX, TOKEN, RegistryTransfer, StandInObject

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application


class TransferSource(Protocol):
    """A registry gateway that logs its requests."""

    @property
    def transfers(self) -> tuple[RegistryTransfer, ...]:
        """All requests, oldest first."""

    def forget(self) -> None:
        """Delete the log."""


NO_EXTRA_ROUTES: Mapping[str, Callable[[Request], object]] = MappingProxyType({})


class ControlApi:
    """A WSGI application that handles control requests and passes all others to `gateway`.

    contents: lists the stand-in's objects. reset: deletes them. more: additional routes, `POST quota`; each takes its
    request and returns the JSON content of the response.
    """

    def __init__(
        self,
        gateway: Application,
        call_log: CallLog,
        registry: TransferSource,
        token: str,
        contents: Callable[[], Iterable[StandInObject]],
        reset: Callable[[], None],
        more: Mapping[str, Callable[[Request], object]] = NO_EXTRA_ROUTES,
    ) -> None:
        self._gateway = gateway
        self._call_log = call_log
        self._registry = registry
        self._token = token
        self._contents = contents
        self._reset = reset
        self._more = more

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if not str(environ.get("PATH_INFO", "")).startswith(PREFIX):
            return self._gateway(environ, start)
        request = Request(environ)
        if not hmac.compare_digest(request.headers.get(TOKEN, "").encode(), self._token.encode()):
            return Response("not yours\n", 403)(environ, start)
        route = f"{request.method} {request.path.removeprefix(PREFIX)}"
        routes: dict[str, Callable[[Request], object]] = {
            "GET calls": lambda _: [asdict(call) for call in self._call_log.calls],
            "GET transfers": lambda _: [asdict(transfer) for transfer in self._registry.transfers],
            "GET contents": lambda _: [asdict(thing) for thing in self._contents()],
            "POST faults": self._add_fault,
            "DELETE faults": lambda _: self._call_log.faults.clear(),
            "GET struck": self._wait_for_injections,
            "POST reset": lambda _: self._reset_all(),
            **self._more,
        }
        if route not in routes:
            return Response("there is no such thing\n", 404)(environ, start)
        return Response(json.dumps(routes[route](request)), content_type="application/json")(environ, start)

    def _add_fault(self, request: Request) -> None:
        content = request.get_json()
        self._call_log.faults.add(FaultOrder(**{**content, "kind": FaultKind(content["kind"])}))

    def _wait_for_injections(self, request: Request) -> int:
        return self._call_log.faults.wait_for_injections(int(request.args["count"]), float(request.args["seconds"]))

    def _reset_all(self) -> None:
        self._call_log.faults.clear()
        self._reset()
        self._registry.forget()
        self._call_log.forget()
