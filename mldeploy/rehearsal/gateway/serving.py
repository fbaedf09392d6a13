"""HTTP servers with keep-alive. Standard: RFC 9112, 9.3.

Protection against DNS rebinding: a page in a browser can resolve its own name to a local address, but cannot set the
Host header to that address. Requests for another host get 421 (RFC 9110, 7.4), requests from another origin 403.
"""

from __future__ import annotations

import io
import socket
import socketserver
import ssl
import threading
import traceback
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from werkzeug.datastructures import Headers
from werkzeug.exceptions import ClientDisconnected, InternalServerError
from werkzeug.serving import BaseWSGIServer, DechunkedInput, ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app
from werkzeug.wsgi import LimitedStream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application
from pathlib import Path

import trustme

from mldeploy.core.scratch import private_file

_CHUNK = 1 << 16
_LONGEST_REST = 1 << 20
"""Maximum unread bytes of a request body that are skipped to keep the connection open."""
_CLIENT_ERRORS = (ConnectionError, TimeoutError, ssl.SSLError)
"""Raised when the client has disconnected. Writing with TLS then raises SSLEOFError, not a ConnectionError."""


class QuietRequestHandler(WSGIRequestHandler):
    """Logs nothing. Keeps connections open, unlike werkzeug, which closes them after one request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: KeepAliveServer

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Ignore what clients do wrong: they get an answer, or have disconnected."""

    def finish(self) -> None:
        """Close the connection's files: what could not be written is written again, and must not keep one open."""
        with self.rfile, suppress(*_CLIENT_ERRORS):
            super().finish()

    def run_wsgi(self) -> None:
        """Answer one request. The connection stays open if the next request can be read from it."""
        if not self.server.begin(self.connection):
            self.close_connection = True
            return
        body: IO[bytes] = io.BytesIO()
        try:
            self._continue()
            self.environ = environ = self.make_environ()
            body = environ["wsgi.input"] = self._input(environ)
            self._answer(environ)
            self._skip(body)
        except (*_CLIENT_ERRORS, ClientDisconnected):
            self.close_connection = True
        except BaseException:
            self.close_connection = True
            raise
        finally:
            if not self.server.end(self.connection):
                self.close_connection = True

    def _continue(self) -> None:
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()

    def _input(self, environ: WSGIEnvironment) -> IO[bytes]:
        """The request body, limited to its length."""
        raw = environ["wsgi.input"]
        if not isinstance(raw, DechunkedInput):
            raw = LimitedStream(raw, int(environ.get("CONTENT_LENGTH") or 0))
        return cast("IO[bytes]", io.BufferedReader(raw))

    def _answer(self, environ: WSGIEnvironment) -> None:
        try:
            pieces, status, headers = run_wsgi_app(self.server.app, environ)
        except (ConnectionError, TimeoutError, ClientDisconnected):
            raise
        except Exception:  # noqa: BLE001 - a server answers whatever happens to its application, and its log has the rest
            traceback.print_exc()
            pieces, status, headers = run_wsgi_app(InternalServerError(), environ)
        try:
            self._write(pieces, status, headers)
        finally:
            if close := getattr(pieces, "close", None):
                close()

    def _write(self, pieces: Iterable[bytes], status: str, headers: Headers) -> None:
        code, _, reason = status.partition(" ")
        bare = self.command == "HEAD" or code.startswith("1") or code in ("204", "304")
        chunked = not bare and "content-length" not in headers
        if chunked and self.request_version != "HTTP/1.1":
            chunked, self.close_connection = False, True
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if chunked:
            self.wfile.flush()  # the first piece may take long
        sent = 0
        for piece in pieces:
            if piece and not bare:
                sent += len(piece)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                self.wfile.flush()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        elif not bare and headers.get("content-length") != str(sent):
            self.close_connection = True  # the client would wait for the rest
        self.wfile.flush()

    def _skip(self, body: IO[bytes]) -> None:
        """Read the rest of the body, or close the connection if that is too much."""
        left = _LONGEST_REST
        while not self.close_connection and (data := body.read(_CHUNK)):
            left -= len(data)
            self.close_connection = left < 0


class KeepAliveServer(ThreadedWSGIServer):
    """Closes idle connections on shutdown, so that a stopped server answers no more requests."""

    def __init__(self, host: str, port: int, application: Application, handler: type[QuietRequestHandler]) -> None:
        self._mutex = threading.Lock()
        self._idle: set[socket.socket] = set()
        self._has_ended = False
        super().__init__(host, port, application, handler)

    def server_bind(self) -> None:
        """Bind without the parent's question for the address's name, which a slow name server answers late."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def begin(self, connection: socket.socket) -> bool:
        """Register a request on a connection. Returns False if the server has stopped."""
        with self._mutex:
            self._idle.discard(connection)
            return not self._has_ended

    def end(self, connection: socket.socket) -> bool:
        """Register the end of a request. Returns False if the connection must be closed."""
        with self._mutex:
            if not self._has_ended:
                self._idle.add(connection)
            return not self._has_ended

    def shutdown_request(self, request: Any) -> None:
        with self._mutex:
            self._idle.discard(request)
        super().shutdown_request(request)

    def shutdown(self) -> None:
        """Accept no more connections. Requests in progress are completed."""
        super().shutdown()
        with self._mutex:
            self._has_ended = True
            for each in self._idle:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            self._idle.clear()


class HostCheck(QuietRequestHandler):
    """Rejects requests that are not addressed to this server."""

    checks_origin = True

    def run_wsgi(self) -> None:
        status = self._rejection()
        if status is None:
            super().run_wsgi()
            return
        body = f"{status.value} {status.phrase}\n".encode()
        self.close_connection = True  # the body is not read, so nothing can follow it
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _rejection(self) -> HTTPStatus | None:
        hosts = [value.strip() for value in self.headers.get_all("Host", [])]
        if "://" in self.path:
            hosts.append(urlsplit(self.path).netloc)  # it takes precedence over the header: RFC 9112, 3.2.2
        if not hosts or not all(map(self._is_ours, hosts)) or self.headers.get_all("Host", []) != hosts[:1]:
            return HTTPStatus.MISDIRECTED_REQUEST
        origins = self.headers.get_all("Origin", []) if self.checks_origin else []
        if not all(self._is_ours(urlsplit(origin).netloc) for origin in origins):
            return HTTPStatus.FORBIDDEN
        return None

    def _is_ours(self, authority: str) -> bool:
        address, port = str(self.server.server_address[0]), self.server.server_address[1]
        default = 80 if self.server.ssl_context is None else 443
        return authority == f"{address}:{port}" or (port == default and authority == address)


class PublicHostCheck(HostCheck):
    """For an app's public address: other origins may call it, as the app permits (CORS)."""

    checks_origin = False


def create_server(
    host: str,
    port: int,
    application: Application,
    tls: ssl.SSLContext | None = None,
    *,
    is_public: bool = False,
    check: type[QuietRequestHandler] | None = None,
) -> BaseWSGIServer:
    """Create a server that listens but does not answer yet. Raises OSError if the address is in use or not permitted.

    is_public: the address is an app's public address. Only requests for `host` and `port` are accepted. check: another
    handler, which checks the Host header itself, or whose application does.
    """
    handler = check or (PublicHostCheck if is_public else HostCheck)
    try:
        server = KeepAliveServer(host, port, application, handler)
    except SystemExit as error:  # werkzeug exits the program
        raise OSError(f"{host}:{port} cannot be listened on") from error
    if tls is not None:
        # Each connection's thread does its handshake, so that a slow client does not block others.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.ssl_context = tls
    return server


def serve(server: BaseWSGIServer) -> None:
    """Answer requests in a background thread until `shutdown`."""
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()


def break_connection(connection: socket.socket) -> ConnectionResetError:
    """Break a connection. Raise the returned error: the server then sends nothing more."""
    with suppress(OSError):  # the client may have disconnected
        connection.shutdown(socket.SHUT_RDWR)
    return ConnectionResetError()


FILE = "ca.pem"


class Authority:
    """folder: where the CA certificate is written. bundle: that file."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA(organization_name="mldeploy rehearsal")
        self.bundle = folder / FILE
        self.bundle.write_bytes(self.pem)

    @property
    def pem(self) -> bytes:
        """The CA certificate."""
        return self._authority.cert_pem.bytes()

    def context(self, *names: str) -> ssl.SSLContext:
        """Create a server context for host names or IP addresses. It requires no client certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = self._authority.issue_cert(*names).private_key_and_cert_chain_pem
        with private_file(pair.bytes()) as path:  # trustme leaves the key on disk if the process is killed
            context.load_cert_chain(path)
        return context

    def pair(self, *names: str) -> tuple[bytes, bytes]:
        """Create a private key and its certificate chain in PEM, for servers that take no SSLContext."""
        issued = self._authority.issue_cert(*names)
        return issued.private_key_pem.bytes(), b"".join(each.bytes() for each in issued.cert_chain_pems)
