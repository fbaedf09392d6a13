"""A proxy on this machine that adds headers to requests: an identity token, or what chooses a version."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter

from mldeploy.bounded_http import bounded_session, read_body
from mldeploy.config.secret import Secret

SECONDS = 60.0
LIMIT = 64 << 20
_HOP_HEADERS = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "host"}
)
"""Not for the other side: RFC 9110, 7.6.1. `requests` decodes the body."""


@dataclass(frozen=True)
class HeaderProxyUpstream:
    """Where a proxy's requests go. host: the host name that is asked for, if the URL has another one."""

    url: str
    trust: Path | None
    host: str = ""

    def send(self, path: str, method: str, body: bytes, headers: dict[str, str]) -> requests.Response:
        """Send one request. Raises RequestException."""
        session = bounded_session(seconds=SECONDS)
        if self.trust is not None:
            session.verify = str(self.trust)
            session.trust_env = False
        if self.host:
            headers = {**headers, "Host": self.host}
            adapter = session.get_adapter("https://")
            assert isinstance(adapter, HTTPAdapter)  # noqa: S101 - `bounded_session` mounts it
            adapter.init_poolmanager(1, 1, server_hostname=self.host)
        return session.request(
            method,
            self.url + path,
            data=body or None,
            headers=headers,
            timeout=SECONDS,
            allow_redirects=False,
            stream=True,
        )


@contextmanager
def run_header_proxy(
    url: str, trust: Path | None, headers: tuple[tuple[str, Secret], ...], host: str = ""
) -> Iterator[str]:
    """A URL on this machine's loopback address that leads to `url` while the context is open.

    Its path begins with random letters, so that nobody else on this machine can use the headers. host: the host name
    that is asked for and that the certificate must be for, if `url` names another one.
    """
    prefix = f"/{secrets.token_urlsafe(24)}"
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), _handler(HeaderProxyUpstream(url.rstrip("/"), trust, host), prefix, headers)
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name=f"proxy to {url}", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(
    upstream: HeaderProxyUpstream, prefix: str, headers: tuple[tuple[str, Secret], ...]
) -> Callable[..., BaseHTTPRequestHandler]:
    class HeaderProxyHandler(BaseHTTPRequestHandler):
        """Forwards one request."""

        def do_GET(self) -> None:
            self._forward()

        def do_POST(self) -> None:
            self._forward()

        def _forward(self) -> None:
            if not secrets.compare_digest(self.path[: len(prefix)].encode(), prefix.encode()):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_HEADERS}
            given |= {name: value.reveal() for name, value in headers}
            try:
                self._answer(upstream.send(self.path[len(prefix) :], self.command, body, given))
            except requests.RequestException:
                self.send_error(502, "the service does not answer")

        def _answer(self, response: requests.Response) -> None:
            body = read_body(response, LIMIT)
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                if name.lower() not in _HOP_HEADERS:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Discard the log."""

    return HeaderProxyHandler
