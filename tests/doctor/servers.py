"""Servers of the network, on this machine: a package index or registry, with TLS or without, and a proxy."""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from mldeploy.core.sockets import readable


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own. bundle: its certificate, in a PEM file."""

    bundle: Path
    chain: Path
    """Certificate and key of a server that is called 127.0.0.1, localhost or index.invalid."""

    @classmethod
    def made(cls, folder: Path) -> Authority:
        """Make one with OpenSSL's own program."""
        folder.mkdir()
        _openssl(folder, "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Corporate -keyout ca.key -out ca.pem")
        _openssl(folder, "req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr")
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:index.invalid\n")
        _openssl(folder, "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -extfile names -out server.pem")
        (folder / "chain.pem").write_text((folder / "server.pem").read_text() + (folder / "server.key").read_text())
        return cls(folder / "ca.pem", folder / "chain.pem")


def _openssl(folder: Path, words: str) -> None:
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)


@dataclass
class Server:
    """Answers every GET with one status. ahead: seconds by which its Date is; age: what a cache says of its answer."""

    authority: Authority | None = None
    status: int = 200
    ahead: float = 0.0
    age: int = 0
    hangs: bool = False
    asked: list[str] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.authority else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        server = self

        class Handler(_Quiet):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                if server.hangs:
                    server.closed.wait()
                    return
                self.send_response_only(server.status)
                reported = datetime.now(UTC) + timedelta(seconds=server.ahead - server.age)
                self.send_header("Date", format_datetime(reported, usegmt=True))
                if server.age:
                    self.send_header("Age", str(server.age))
                self.send_header("Content-Length", "0")
                self.end_headers()

        self._server = _Threads(("127.0.0.1", 0), Handler)
        if self.authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.authority.chain)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Proxy:
    """An HTTP proxy through which every name leads to one server. password: of the user `me`; "" for none."""

    to: Server
    password: str = ""
    refuses: bool = False
    passed: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def with_password(self) -> str:
        return self.url.replace("//", f"//me:{self.password}@")

    def __enter__(self) -> Self:
        proxy = self

        class Handler(_Quiet):
            def do_CONNECT(self) -> None:
                if self._let_in():
                    self.send_response_only(200)
                    self.end_headers()
                    _pump(self.connection, proxy.to.port)
                self.close_connection = True

            def do_GET(self) -> None:
                if self._let_in():
                    self.send_response_only(proxy.to.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def _let_in(self) -> bool:
                wanted = f"Basic {base64.b64encode(f'me:{proxy.password}'.encode()).decode()}"
                if proxy.password and self.headers.get("Proxy-Authorization") != wanted:
                    self.send_response_only(407)
                    self.send_header("Proxy-Authenticate", "Basic")
                elif proxy.refuses:
                    self.send_response_only(403)
                else:
                    proxy.passed.append(self.path)
                    return True
                self.send_header("Content-Length", "0")
                self.end_headers()
                return False

        self._server = _Threads(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pump(client: socket.socket, port: int) -> None:
    """Carry bytes both ways until one side has ended."""
    with socket.create_connection(("127.0.0.1", port)) as server:
        while True:
            for each in readable([client, server]):
                data = each.recv(65536)
                if not data:
                    return
                (server if each is client else client).sendall(data)


class _Threads(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not believe the certificate goes away."""


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden method's name
        """Nobody reads it."""
