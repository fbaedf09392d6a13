"""A door before a real API server: every call passes it, is written down, and meets the fault ordered for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3
from werkzeug.wrappers import Response

from mldeploy.config.endpoints import Endpoints
from mldeploy.providers.kubernetes.api import Kube
from mldeploy.rehearsal.door.authority import Authority
from mldeploy.rehearsal.door.faults import Kind
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.door.serving import listening, serve
from mldeploy.rehearsal.kubernetes.objects.refusals import Refused
from tests.kubernetes.paper.server import Asked, Door, answer, understood

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.door.frontdoor import Application

PORT = 6443
CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 300.0


class Proxy:
    """Sends on what comes, with the credentials of a client that has some. folder: for its own certificate."""

    def __init__(self, kube: Kube, folder: Path, address: str) -> None:
        self.ledger = Ledger()
        self._kube = kube
        authority = Authority(folder)
        self.endpoints = Endpoints(url=f"https://{address}:{PORT}", ca_bundle=authority.bundle)
        self._server = listening(address, PORT, Door(self._sent_on, _Words(), self.ledger), authority.context(address))
        serve(self._server)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _sent_on(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        query = environ.get("QUERY_STRING", "")
        path = environ["PATH_INFO"] + (f"?{query}" if query else "")
        _, headers = self._kube._request("GET", "/", (), environ.get("CONTENT_TYPE") or "application/json")
        client = self._kube._client
        found = client.rest_client.pool_manager.request(
            environ["REQUEST_METHOD"],
            client.configuration.host + path,
            body=environ["wsgi.input"].read() or None,
            headers=headers,
            preload_content=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=SILENCE_SECONDS),
        )
        made = Response(_streamed(found), found.status, content_type=found.headers.get("Content-Type"))
        return made(environ, start)


def _streamed(found: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    try:
        yield b""
        yield from found.stream(amt=None)
    finally:
        found.close()


class _Words:
    """`mldeploy.rehearsal.door.frontdoor.Language`; who may come in, the real server says."""

    def understood(self, environ: WSGIEnvironment, body: bytes) -> Asked:
        return understood(environ, body)

    def turned_away(self, asked: Asked) -> Application | None:
        return None

    def refusal(self, kind: Kind, asked: Asked) -> Application:
        status, reason = {
            Kind.THROTTLE: (429, "TooManyRequests"),
            Kind.ERROR: (500, "InternalError"),
            Kind.DENIED: (403, "Forbidden"),
        }[kind]
        said = f'User "live" cannot {asked.action}' if kind is Kind.DENIED else reason
        return answer(Refused(status, reason, said).document, status)
