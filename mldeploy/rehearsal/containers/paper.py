"""A host without an engine: what it starts is no container, but answers. For tests of what is around a container."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from mldeploy.rehearsal.containers.host import Container, Exit, HostError, Launch, Pulled, Ran
from mldeploy.rehearsal.containers.network import Addresses
from mldeploy.rehearsal.containers.talk import OUT, Talk, framed

MANIFESTS = ", ".join(
    f"application/{kind}" for kind in ("vnd.docker.distribution.manifest.v2+json", "vnd.oci.image.manifest.v1+json")
)
"""The types of a manifest, for the header Accept."""
_CHUNK = 1 << 16
_STOPPED = 143
"""The exit code of what SIGTERM ends."""


class PaperHost:
    """Looks images up in the registry, and pretends to run them. addresses: where they answer."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    def pull(self, image: str, user: str, password: str) -> Pulled:
        """What the registry has of it. Standard: OCI distribution spec 1.1."""
        registry, _, path = image.partition("/")
        name, _, reference = path.partition("@") if "@" in path else path.partition(":")
        with requests.Session() as session:
            session.auth = (user, password)
            base = f"http://{registry}/v2/{name}"
            found = session.get(f"{base}/manifests/{reference or 'latest'}", headers={"Accept": MANIFESTS}, timeout=60)
            if found.status_code == 401:
                raise HostError(f'Get "{base}/manifests/{reference or "latest"}": no basic auth credentials')
            if not found.ok:
                raise HostError(f"{image}: not found ({found.status_code})")
            manifest: Mapping[str, Any] = found.json()
            config = session.get(f"{base}/blobs/{manifest['config']['digest']}", timeout=60).json()
        user = str((config.get("config") or {}).get("User") or "")
        return Pulled(found.headers["Docker-Content-Digest"], config["architecture"], user)

    def start(self, launch: Launch) -> Container:
        return PaperContainer(launch, self._addresses)


class Answering(BaseHTTPRequestHandler):
    """Says 200 and an empty JSON object to whatever it is asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"{}")

    do_HEAD = do_POST = do_GET  # noqa: N815 - the names that the parent looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        pass


class PaperContainer:
    """Answers on its ports until it is stopped."""

    def __init__(self, launch: Launch, addresses: Addresses) -> None:
        self.id = uuid.uuid4().hex
        self.address = addresses.take()
        self._addresses = addresses
        self._ended = threading.Event()
        self._servers = [ThreadingHTTPServer((self.address, port), Answering) for port in launch.ports]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def health(self) -> str:
        return "UNKNOWN" if self._ended.is_set() else "HEALTHY"

    def wait(self) -> Exit:
        self._ended.wait()
        return Exit(_STOPPED)

    def logs(self) -> Iterator[bytes]:
        yield b"pretending to run"

    def execute(self, command: Sequence[str]) -> Ran:
        """It says what it was told."""
        return Ran(0, " ".join(command).encode() + b"\n")

    def talk(self, command: Sequence[str], *, tty: bool) -> Talk:
        """It says what it was told, and then whatever it is told until it is told no more."""
        here, there = socket.socketpair()

        def speak() -> None:
            with there, suppress(OSError):
                data = " ".join(command).encode() + b"\n"
                while data:
                    there.sendall(data if tty else framed(OUT, data))
                    data = there.recv(_CHUNK)

        threading.Thread(target=speak, daemon=True).start()
        return Talk(here, tty=tty, code=lambda: 0, resize=lambda *_: None)

    def attach(self) -> Talk:
        """As if it was told nothing yet."""
        return self.talk((), tty=False)

    def stop(self, seconds: int) -> None:
        """It needs no persuasion."""
        self._ended.set()

    def remove(self) -> None:
        self._ended.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        if self._servers:
            self._addresses.give_back(self.address)
        self._servers = []
