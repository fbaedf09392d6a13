"""What stands between a build and its packages in a company: an index that wants a password, a proxy that wants one."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from urllib.parse import quote, urljoin

import requests

from mldeploy.config.secret import Secret
from mldeploy.config.settings import Index
from mldeploy.core.sockets import readable
from mldeploy.image.engine import Engine


@dataclass
class Guarded:
    """A server that asks for a user and a password. asked: the paths and hosts that were asked for with them."""

    address: str
    user: str
    password: str
    asked: list[str] = field(default_factory=list)

    @property
    def credentials(self) -> str:
        return f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"

    def index(self, password: str = "") -> Index:
        given = f"{quote(self.user, safe='')}:{quote(password or self.password, safe='')}"
        return Index(f"http://{self.address}/simple", Secret(given))

    def lets_in(self, header: str | None) -> bool:
        known = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return header == f"Basic {known}"


@contextmanager
def package_index(engine: Engine, upstream: str, password: str) -> Iterator[Guarded]:
    """It has `secret-sauce` 1.0 and, by reference, whatever `upstream` has. Standard: PEP 503."""
    wheel = _wheel("secret_sauce", "1.0")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if not guarded.lets_in(self.headers.get("Authorization")):
                self._answer(401, b"", "text/plain")
                return
            guarded.asked.append(self.path)
            name = self.path.strip("/").rpartition("/")[2]
            if name == "secret-sauce":
                link = f'<a href="/files/{wheel.name}#sha256={wheel.digest}">{wheel.name}</a>'
                self._answer(200, link.encode(), "text/html")
            elif name == wheel.name:
                self._answer(200, wheel.content, "application/octet-stream")
            else:
                self._hand_on(f"{upstream.rstrip('/')}/{name}/")

        def _hand_on(self, url: str) -> None:
            result = requests.get(url, timeout=300, headers={"Accept": "text/html"})
            page = re.sub(r'href="([^"]+)"', lambda link: f'href="{urljoin(url, link[1])}"', result.text)
            self._answer(result.status_code, page.encode(), "text/html")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("WWW-Authenticate", 'Basic realm="packages"')
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
            pass

    with _serving(engine, Handler) as address:
        guarded = Guarded(address, "us@er", password)
        yield guarded


@contextmanager
def proxy(engine: Engine, password: str) -> Iterator[Guarded]:
    """It hands through what TLS protects (CONNECT), to whoever knows the password. Standard: RFC 9110, 9.3.6."""

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            if not guarded.lets_in(self.headers.get("Proxy-Authorization")):
                self.send_error(407)
                return
            guarded.asked.append(self.path)
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host, int(port)), timeout=300) as server, suppress(OSError):
                self.send_response(200)
                self.end_headers()
                _join(self.connection, server)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
            pass

    with _serving(engine, Handler) as address:
        guarded = Guarded(address, "proxy-user", password)
        yield guarded


def _join(one: socket.socket, other: socket.socket) -> None:
    while True:
        for source in readable([one, other], 300):
            block = source.recv(1 << 16)
            if not block:
                return
            (other if source is one else one).sendall(block)


@contextmanager
def _serving(engine: Engine, handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Where containers reach this machine: the address of the engine's bridge."""
    config = engine.client.inspect_network("bridge")["IPAM"]["Config"][0]
    gateway = config.get("Gateway") or str(next(ip_network(config["Subnet"]).hosts()))  # the engine's own rule
    with ThreadingHTTPServer((gateway, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"{gateway}:{server.server_address[1]}"
        server.shutdown()


@dataclass(frozen=True)
class Wheel:
    name: str
    content: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def _wheel(name: str, version: str) -> Wheel:
    """A wheel with one empty module. Standard: the binary distribution format of PyPA's specifications."""
    made, info = io.BytesIO(), f"{name}-{version}.dist-info"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return Wheel(f"{name}-{version}-py3-none-any.whl", made.getvalue())
