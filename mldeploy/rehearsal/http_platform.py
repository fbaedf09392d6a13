"""A stand-in for a platform with a plain HTTP API, from a WSGI application that behaves like it.

This is what a provider of another package needs for `mldeploy rehearse` and for the conformance suite: its stand-in's
program calls `run_platform`. The gateway in front of the application logs every call and injects the faults.
"""

from __future__ import annotations

import json
import os
import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from werkzeug.wrappers import Response

from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.control import ControlApi
from mldeploy.rehearsal.gateway.fault_proxy import FaultProxy
from mldeploy.rehearsal.gateway.faults import FaultKind
from mldeploy.rehearsal.gateway.proxy import RegistryTransfer, StandInObject
from mldeploy.rehearsal.process import GATEWAY_PORT, StandInOptions, claim_address, run_stand_in, serve_until_exit
from mldeploy.rehearsal.record import Process, RehearsalRecord

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application

_READING = ("GET", "HEAD", "OPTIONS")
_STATUS: Mapping[FaultKind, HTTPStatus] = MappingProxyType(
    {
        FaultKind.THROTTLE: HTTPStatus.TOO_MANY_REQUESTS,
        FaultKind.DENIED: HTTPStatus.FORBIDDEN,
        FaultKind.ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
    }
)


class HttpPlatform(Protocol):
    """A platform's HTTP API, as a WSGI application with an account that can be listed and emptied."""

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """PEP 3333. Several threads call it."""

    def contents(self) -> Iterable[tuple[str, str]]:
        """Kind and name of each object in the account."""

    def reset(self) -> None:
        """Delete all objects, and end what runs for them. Called at the end of the process, too."""


@dataclass(frozen=True)
class HttpRequestInfo:
    """The operation of a request. Requests other than GET, HEAD and OPTIONS count as writing."""

    action: str
    is_writing: bool


class HttpAdapter:
    """A `ProtocolAdapter` that accepts everybody. name_action: the operation of a method and a path."""

    def __init__(self, name_action: Callable[[str, str], str]) -> None:
        self._name_action = name_action

    def parse_request(self, environ: WSGIEnvironment, body: bytes) -> HttpRequestInfo:
        method = str(environ["REQUEST_METHOD"])
        return HttpRequestInfo(self._name_action(method, str(environ.get("PATH_INFO", ""))), method not in _READING)

    def authenticate(self, request: HttpRequestInfo) -> Application | None:
        return None

    def refusal(self, kind: FaultKind, request: HttpRequestInfo) -> Application:
        status = _STATUS[kind]
        return Response(json.dumps({"error": status.phrase}), status, content_type="application/json")


class _NoTransfers:
    """A platform without a registry."""

    transfers: tuple[RegistryTransfer, ...] = ()

    def forget(self) -> None:
        pass


def run_platform(
    arguments: Sequence[str], create: Callable[[], HttpPlatform], name_action: Callable[[str, str], str]
) -> int:
    """Run the process of a stand-in until it is stopped, and return its exit status.

    arguments: of the command line, without the program. name_action: returns the name of an operation from a method and
    a path, for logs and faults. The provider reaches the platform at `Endpoints.url`.
    """

    def start(_: StandInOptions, stack: ExitStack) -> RehearsalRecord:
        platform = create()
        stack.callback(platform.reset)
        return _serve(platform, name_action, stack)

    return run_stand_in(replace(StandInOptions.parse(arguments), containers=False), start)


def _serve(platform: HttpPlatform, name_action: Callable[[str, str], str], stack: ExitStack) -> RehearsalRecord:
    token, call_log = secrets.token_urlsafe(32), CallLog()
    addresses, server = claim_address()
    stack.callback(server.server_close)
    gateway = FaultProxy(platform, HttpAdapter(name_action), call_log)
    server.app = ControlApi(
        gateway,
        call_log,
        _NoTransfers(),
        token,
        lambda: [StandInObject(kind, name) for kind, name in platform.contents()],
        platform.reset,
    )
    serve_until_exit(server, stack)
    url = f"http://{addresses.own}:{GATEWAY_PORT}"
    return RehearsalRecord(
        url=url,
        name=uuid.uuid4().hex,
        region="",
        token=token,
        registry="",
        processes=(Process.of(os.getpid()),),
        cloud_url=url,
    )
