"""The web servers at an address of a cluster's edge, which hand requests on to Pods. Standards: RFC 9110, RFC 9112."""

from __future__ import annotations

import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler
from typing import IO, Any, cast
from urllib.parse import urlsplit

from werkzeug.serving import DechunkedInput

from mldeploy.core.sockets import readable
from mldeploy.rehearsal.kubernetes.control.endpoints import Place
from mldeploy.rehearsal.kubernetes.edge.routing import Table, Way

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect")
)
_FORWARDED = frozenset(f"x-forwarded-{each}" for each in ("for", "host", "port", "proto"))
_CONNECT_SECONDS, _ANSWER_SECONDS, _IDLE_SECONDS = 5.0, 60.0, 75.0
"""As nginx waits if nothing else is said."""
_CHUNK = 1 << 16


class Front:
    """One address. ports: at which it answers, and with which TLS, if any. Raises OSError if one cannot be had."""

    def __init__(self, address: str, ports: Mapping[int, ssl.SSLContext | None], table: Table) -> None:
        self.address = address
        self.ports = dict(ports)
        self._doors: list[_Door] = []
        try:
            for port, tls in ports.items():
                self._doors.append(_Door((address, port), table, tls))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Take no connection any more."""
        for door in self._doors:
            door.shutdown()
            door.server_close()


class _Door(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, place: Place, table: Table, tls: ssl.SSLContext | None) -> None:
        super().__init__(place, _Request)
        self.table = table
        self.is_safe = tls is not None
        if tls is not None:  # the handshake is left to each connection's own thread
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves, or that does not trust the certificate, has broken nothing here."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    server: _Door

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        authority = parts.netloc or self.headers.get("Host", "")
        target = self.path.removeprefix(f"{parts.scheme}://{parts.netloc}") or "/"
        host, port = (urlsplit(f"//{authority}").hostname or "").rstrip("."), self.server.server_address[1]
        way = self.server.table.way(int(port), host, parts.path or "/", safe=self.server.is_safe)
        if way.status is HTTPStatus.PERMANENT_REDIRECT:
            self._answer(way.status, f"https://{host}{target}")
        elif way.status is not None:
            self._answer(way.status)
        else:
            self._hand_on(way, authority, target)

    do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = do_GET  # noqa: N815 - the parent's names

    def _hand_on(self, way: Way, authority: str, target: str) -> None:
        connection = _connected(way.places)
        if connection is None:
            self._answer(HTTPStatus.BAD_GATEWAY)
            return
        with closing(connection):
            try:
                self._ask(connection, authority, target)
                if self._upgrade:
                    self._lead(connection.sock)
                    return
                answer = connection.getresponse()
            except TimeoutError:
                self._answer(HTTPStatus.GATEWAY_TIMEOUT)
            except (OSError, HTTPException):
                self._answer(HTTPStatus.BAD_GATEWAY)
            else:
                self._pass_back(answer)

    def _ask(self, connection: HTTPConnection, authority: str, target: str) -> None:
        connection.putrequest(self.command, target, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP | _FORWARDED | {"host", "x-real-ip"}:
                connection.putheader(name, value)
        client = str(self.client_address[0])
        connection.putheader("Host", authority)
        connection.putheader("X-Real-IP", client)
        connection.putheader("X-Forwarded-For", client)
        connection.putheader("X-Forwarded-Host", authority)
        connection.putheader("X-Forwarded-Port", str(self.server.server_address[1]))
        connection.putheader("X-Forwarded-Proto", "https" if self.server.is_safe else "http")
        if self._upgrade:
            connection.putheader("Upgrade", self._upgrade)
        connection.putheader("Connection", "Upgrade" if self._upgrade else "close")
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders(self._body(chunked=chunked), encode_chunked=chunked)

    @property
    def _upgrade(self) -> str:
        """The protocol, such as websocket, that the client wants to speak from now on; "": HTTP. RFC 9110, 7.8."""
        asked = "upgrade" in self.headers.get("Connection", "").lower()
        return self.headers.get("Upgrade", "") if asked else ""

    def _lead(self, other: socket.socket) -> None:
        """Hand everything on as it is, until either side has said all. The client speaks after the answer alone."""
        self.close_connection = True
        other.settimeout(None)
        self.connection.settimeout(None)
        partner = {self.connection: other, other: self.connection}
        while True:
            hidden = isinstance(self.connection, ssl.SSLSocket) and self.connection.pending() > 0
            ready = readable(partner, 0 if hidden else None)
            for each in {*ready, *([self.connection] if hidden else ())}:
                data = each.recv(_CHUNK)
                if not data:
                    return
                partner[each].sendall(data)

    def _body(self, *, chunked: bool) -> Iterator[bytes] | None:
        if chunked:
            body = DechunkedInput(cast("IO[bytes]", self.rfile))
            return iter(lambda: body.read(_CHUNK) or b"", b"")
        length = int(self.headers.get("Content-Length") or 0)
        return self._sized(length) if length else None

    def _sized(self, left: int) -> Iterator[bytes]:
        while left > 0 and (data := self.rfile.read(min(left, _CHUNK))):
            left -= len(data)
            yield data

    def _pass_back(self, answer: HTTPResponse) -> None:
        """As it comes, piece by piece."""
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        bare = self.command == "HEAD" or answer.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        length = answer.getheader("Content-Length")
        chunked = not bare and length is None and self.request_version != "HTTP/1.0"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif length is None and not bare:
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if not bare:
            self._copy(answer, None if length is None else int(length), chunked=chunked)

    def _copy(self, answer: HTTPResponse, length: int | None, *, chunked: bool) -> None:
        """An answer that breaks off breaks off for the client, too: its connection is closed before the end."""
        done = 0
        try:
            while data := answer.read1(_CHUNK):
                done += len(data)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        except (OSError, HTTPException):
            self.close_connection = True
            return
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        elif length is not None and done < length:
            self.close_connection = True

    def _answer(self, status: HTTPStatus, location: str = "") -> None:
        """Our own answer; what the client may still want to send is not read."""
        self.close_connection = True
        body = f"{status.value} {status.phrase}\n".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        if location:
            self.send_header("Location", location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Nobody reads an access log here."""


def _connected(places: tuple[Place, ...]) -> HTTPConnection | None:
    """To the first Pod that accepts a connection: one may have gone since it was said to be ready."""
    for host, port in places:
        connection = HTTPConnection(host, port, timeout=_CONNECT_SECONDS)
        with suppress(OSError):
            connection.connect()
            connection.sock.settimeout(_ANSWER_SECONDS)
            return connection
    return None
