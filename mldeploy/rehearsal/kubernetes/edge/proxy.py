"""Reverse proxy: forwards requests of an Ingress or Gateway to Pods. Standards: RFC 9110, RFC 9112."""

from __future__ import annotations

import base64
import binascii
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

import trustme
from cryptography import x509
from werkzeug.serving import DechunkedInput

from mldeploy.core.scratch import private_file
from mldeploy.core.sockets import readable
from mldeploy.rehearsal.kubernetes.control.services import SocketAddress
from mldeploy.rehearsal.kubernetes.edge.routing import RoutingDecision, RoutingTable, covers
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Object, ObjectKey

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect")
)
_FORWARDED = frozenset(f"x-forwarded-{each}" for each in ("for", "host", "port", "proto"))
_CONNECT_SECONDS, _ANSWER_SECONDS, _IDLE_SECONDS = 5.0, 60.0, 75.0
"""The default timeouts of nginx."""
_CHUNK = 1 << 16


class EdgeProxy:
    """The proxy at one IP address. ports: TLS context by port; None: plain HTTP. Raises OSError if a port is in use."""

    def __init__(self, address: str, ports: Mapping[int, ssl.SSLContext | None], table: RoutingTable) -> None:
        self.address = address
        self.ports = dict(ports)
        self._servers: list[_ProxyServer] = []
        try:
            for port, tls in ports.items():
                self._servers.append(_ProxyServer((address, port), table, tls))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Stop all servers."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _ProxyServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: SocketAddress, table: RoutingTable, tls: ssl.SSLContext | None) -> None:
        super().__init__(address, _ProxyHandler)
        self.table = table
        self.is_safe = tls is not None
        if tls is not None:  # the handshake is left to each connection's own thread
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect or reject the certificate."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _ProxyHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    server: _ProxyServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        authority = parts.netloc or self.headers.get("Host", "")
        target = self.path.removeprefix(f"{parts.scheme}://{parts.netloc}") or "/"
        host, port = (urlsplit(f"//{authority}").hostname or "").rstrip("."), self.server.server_address[1]
        decision = self.server.table.decide(int(port), host, parts.path or "/", safe=self.server.is_safe)
        if decision.status is HTTPStatus.PERMANENT_REDIRECT:
            self._send_status(decision.status, f"https://{host}{target}")
        elif decision.status is not None:
            self._send_status(decision.status)
        else:
            self._forward(decision, authority, target)

    do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = do_GET  # noqa: N815 - the parent's names

    def _forward(self, decision: RoutingDecision, authority: str, target: str) -> None:
        connection = _connect_to_pod(decision.addresses)
        if connection is None:
            self._send_status(HTTPStatus.BAD_GATEWAY)
            return
        with closing(connection):
            try:
                self._send_request(connection, authority, target)
                if self._upgrade:
                    self._tunnel(connection.sock)
                    return
                response = connection.getresponse()
            except TimeoutError:
                self._send_status(HTTPStatus.GATEWAY_TIMEOUT)
            except (OSError, HTTPException):
                self._send_status(HTTPStatus.BAD_GATEWAY)
            else:
                self._send_response(response)

    def _send_request(self, connection: HTTPConnection, authority: str, target: str) -> None:
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
        """The protocol that the client upgrades to, such as websocket; "": none. RFC 9110, section 7.8."""
        upgrades = "upgrade" in self.headers.get("Connection", "").lower()
        return self.headers.get("Upgrade", "") if upgrades else ""

    def _tunnel(self, other: socket.socket) -> None:
        """Copy bytes both ways until either side closes. Used after a protocol upgrade."""
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

    def _send_response(self, response: HTTPResponse) -> None:
        """Stream the Pod's response to the client."""
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        bare = self.command == "HEAD" or response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        length = response.getheader("Content-Length")
        chunked = not bare and length is None and self.request_version != "HTTP/1.0"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif length is None and not bare:
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if not bare:
            self._copy(response, None if length is None else int(length), chunked=chunked)

    def _copy(self, response: HTTPResponse, length: int | None, *, chunked: bool) -> None:
        """Copy the body. If the Pod's response is incomplete, close the client's connection early, too."""
        done = 0
        try:
            while data := response.read1(_CHUNK):
                done += len(data)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        except (OSError, HTTPException):
            self.close_connection = True
            return
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        elif length is not None and done < length:
            self.close_connection = True

    def _send_status(self, status: HTTPStatus, location: str = "") -> None:
        """Send a response of the proxy itself; the rest of the request is not read."""
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
        """Write no access log."""


def _connect_to_pod(places: tuple[SocketAddress, ...]) -> HTTPConnection | None:
    """Connect to the first Pod that accepts a connection; None if no Pod does."""
    for host, port in places:
        connection = HTTPConnection(host, port, timeout=_CONNECT_SECONDS)
        with suppress(OSError):
            connection.connect()
            connection.sock.settimeout(_ANSWER_SECONDS)
            return connection
    return None


_NAMES = x509.SubjectAlternativeName


class CertificateError(Exception):
    """A Secret has no usable certificate; the text is the reason."""


class ServerCertificates:
    """The certificates of one server. named: by host name or pattern. context: the server's TLS context."""

    def __init__(self) -> None:
        self.named: Mapping[str, ssl.SSLContext] = {}
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA(organization_name="an ingress controller").issue_cert("ingress.local").configure_cert(self.context)
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        """Select the certificate by SNI (RFC 6066, section 3)."""
        fitting = [each for each in self.named if covers(each, name or "", deep=False)]
        if fitting:
            connection.context = self.named[max(fitting, key=lambda each: (not each.startswith("*"), len(each)))]


class CertificateStore:
    """Reads certificates from Secrets and caches them by resource version."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], tuple[ssl.SSLContext, x509.Certificate]] = {}

    def context(self, namespace: str, name: str, host: str) -> ssl.SSLContext:
        """The TLS context of a Secret. host: name or pattern to verify; "": no check. Raises CertificateError."""
        secret = self._store.get(ObjectKey(kinds.SECRETS, namespace, name))
        if secret is None:
            raise CertificateError(f"secret {namespace}/{name} was not found")
        metadata = secret["metadata"]
        version = (metadata["uid"], metadata["resourceVersion"])
        if version not in self._known:
            self._known[version] = _parse_certificate(f"{namespace}/{name}", secret)
        context, certificate = self._known[version]
        if host and not any(covers(each, host, deep=False) for each in list_dns_names(certificate)):
            names = ", ".join(list_dns_names(certificate)) or "no name"
            raise CertificateError(f"the certificate in secret {namespace}/{name} is valid for {names}, not {host}")
        return context


def list_dns_names(certificate: x509.Certificate) -> list[str]:
    """The DNS names of a certificate. RFC 6125: the common name is ignored."""
    try:
        extension = certificate.extensions.get_extension_for_class(_NAMES).value
    except x509.ExtensionNotFound:
        return []
    return list(extension.get_values_for_type(x509.DNSName))


def _parse_certificate(secret_name: str, secret: Object) -> tuple[ssl.SSLContext, x509.Certificate]:
    data = secret.get("data") or {}
    parts = []
    for name in ("tls.crt", "tls.key"):
        if not data.get(name):
            raise CertificateError(f"secret {secret_name} has no {name}")
        try:
            parts.append(base64.b64decode(data[name], validate=True))
        except binascii.Error as error:
            raise CertificateError(f"{name} in secret {secret_name} cannot be read: {error}") from error
    chain, key = parts
    try:
        certificate = x509.load_pem_x509_certificate(chain)
    except ValueError as error:
        raise CertificateError(f"tls.crt in secret {secret_name} is no certificate in PEM") from error
    return _tls_context(secret_name, chain, key), certificate


def _tls_context(secret_name: str, chain: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with private_file(key + b"\n" + chain) as path:  # the library reads files alone
        try:
            context.load_cert_chain(path)
        except (ssl.SSLError, ValueError) as error:
            raise CertificateError(f"tls.key in secret {secret_name} is no key, or not that of tls.crt") from error
    return context
