"""A proxy in front of a real API server. It logs each call and injects the faults that are due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3
from werkzeug.wrappers import Response

from mldeploy.config.endpoints import Endpoints
from mldeploy.providers.kubernetes.api import KubeClient
from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.fault_proxy import FaultProxy
from mldeploy.rehearsal.gateway.faults import FaultKind
from mldeploy.rehearsal.gateway.serving import Authority, create_server, serve
from mldeploy.rehearsal.kubernetes.objects.errors import StatusError
from tests.kubernetes.fake.server import ApiRequest, answer, parse_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application

PORT = 6443
CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 300.0


class Proxy:
    """Forwards requests with the credentials of a client. folder: for the proxy's certificate."""

    def __init__(self, kube: KubeClient, folder: Path, address: str) -> None:
        self.call_log = CallLog()
        self._kube = kube
        authority = Authority(folder)
        self.endpoints = Endpoints(url=f"https://{address}:{PORT}", ca_bundle=authority.bundle)
        self._server = create_server(
            address, PORT, FaultProxy(self._forward, _ForwardProtocol(), self.call_log), authority.context(address)
        )
        serve(self._server)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _forward(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        query = environ.get("QUERY_STRING", "")
        path = environ["PATH_INFO"] + (f"?{query}" if query else "")
        _, headers = self._kube._request("GET", "/", (), environ.get("CONTENT_TYPE") or "application/json")
        client = self._kube._client
        response = client.rest_client.pool_manager.request(
            environ["REQUEST_METHOD"],
            client.configuration.host + path,
            body=environ["wsgi.input"].read() or None,
            headers=headers,
            preload_content=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=SILENCE_SECONDS),
        )
        forwarded = Response(_stream(response), response.status, content_type=response.headers.get("Content-Type"))
        return forwarded(environ, start)


def _stream(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    try:
        yield b""
        yield from response.stream(amt=None)
    finally:
        response.close()


class _ForwardProtocol:
    """`mldeploy.rehearsal.gateway.fault_proxy.ProtocolAdapter`; the real server authenticates."""

    def parse_request(self, environ: WSGIEnvironment, body: bytes) -> ApiRequest:
        return parse_request(environ, body)

    def authenticate(self, request: ApiRequest) -> Application | None:
        return None

    def refusal(self, kind: FaultKind, request: ApiRequest) -> Application:
        status, reason = {
            FaultKind.THROTTLE: (429, "TooManyRequests"),
            FaultKind.ERROR: (500, "InternalError"),
            FaultKind.DENIED: (403, "Forbidden"),
        }[kind]
        message = f'User "live" cannot {request.action}' if kind is FaultKind.DENIED else reason
        return answer(StatusError(status, reason, message).document, status)
