"""A container host without an engine, for tests: its containers are HTTP servers that answer `{}`."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from mldeploy.rehearsal.containers.exec_session import STDOUT, ExecSession, encode_frame
from mldeploy.rehearsal.containers.host import (
    ContainerExit,
    ContainerHostError,
    ExecResult,
    HostContainer,
    LaunchSpec,
    PublicAddressPool,
    PulledImage,
)

MANIFEST_TYPES = ", ".join(
    f"application/{kind}" for kind in ("vnd.docker.distribution.manifest.v2+json", "vnd.oci.image.manifest.v1+json")
)
"""Manifest media types, for the Accept header."""
_CHUNK = 1 << 16
_STOPPED = 143
"""Exit code after SIGTERM."""


class FakeHost:
    """Reads images from the registry, and simulates running them. addresses: for its containers."""

    def __init__(self, addresses: PublicAddressPool) -> None:
        self._addresses = addresses

    def pull(self, image: str, user: str, password: str) -> PulledImage:
        """Read manifest and configuration from the registry. Standard: OCI distribution spec 1.1."""
        registry, _, path = image.partition("/")
        name, _, reference = path.partition("@") if "@" in path else path.partition(":")
        with requests.Session() as session:
            session.auth = (user, password)
            base = f"http://{registry}/v2/{name}"
            response = session.get(
                f"{base}/manifests/{reference or 'latest'}", headers={"Accept": MANIFEST_TYPES}, timeout=60
            )
            if response.status_code == 401:
                raise ContainerHostError(f'Get "{base}/manifests/{reference or "latest"}": no basic auth credentials')
            if response.status_code == 403:  # as containerd says it, googlecodelabs/monolith-to-microservices#59
                status = f"status code [manifests {reference or 'latest'}]: 403 Forbidden"
                raise ContainerHostError(f"pulling from host {registry} failed with {status}")
            if not response.ok:
                raise ContainerHostError(f"{image}: not found ({response.status_code})")
            manifest: Mapping[str, Any] = response.json()
            config = session.get(f"{base}/blobs/{manifest['config']['digest']}", timeout=60).json()
        user = str((config.get("config") or {}).get("User") or "")
        return PulledImage(response.headers["Docker-Content-Digest"], config["architecture"], user)

    def start(self, launch: LaunchSpec) -> HostContainer:
        return FakeContainer(launch, self._addresses)


EXIT = "/exit/"
"""A request of `/exit/137` ends the container with that exit code, as a crash would; as a command, at once."""
ENVIRONMENT = "/environment"
"""A request of it is answered with the container's variables, as JSON."""


class FakeAppHandler(BaseHTTPRequestHandler):
    """Answers every request with 200 and an empty JSON object, or with the variables."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b"{}"
        if self.path == ENVIRONMENT and isinstance(self.server, FakeAppServer):
            content = json.dumps(dict(self.server.environment)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        if self.path.startswith(EXIT) and isinstance(self.server, FakeAppServer):
            self.server.crash(int(self.path.removeprefix(EXIT)))

    do_HEAD = do_POST = do_GET  # noqa: N815 - the names that the parent looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        pass


class FakeAppServer(ThreadingHTTPServer):
    """crash: ends the container with an exit code. environment: its variables."""

    request_queue_size = 128

    def server_bind(self) -> None:
        """Bind without the parent's question for the address's name, which a slow name server answers late."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def __init__(self, address: tuple[str, int], crash: Callable[[int], None], environment: Mapping[str, str]) -> None:
        super().__init__(address, FakeAppHandler)
        self.crash = crash
        self.environment = environment


class FakeContainer:
    """Answers on its ports until it is stopped."""

    def __init__(self, launch: LaunchSpec, addresses: PublicAddressPool) -> None:
        self.id = uuid.uuid4().hex
        self.address = addresses.take()
        self._addresses = addresses
        self._ended = threading.Event()
        self._code = _STOPPED
        self._is_removed = False
        self._mutex = threading.Lock()
        command = launch.command[0] if launch.command else ""
        ports = () if command.startswith(EXIT) else launch.ports
        self._servers = [FakeAppServer((self.address, port), self._crash, launch.environment) for port in ports]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        if command.startswith(EXIT):
            self._crash(int(command.removeprefix(EXIT)))

    def health(self) -> str:
        return "UNKNOWN" if self._ended.is_set() else "HEALTHY"

    def wait(self) -> ContainerExit:
        self._ended.wait()
        return ContainerExit(self._code)

    def _crash(self, code: int) -> None:
        self._code = code
        self._ended.set()

    def logs(self) -> Iterator[bytes]:
        yield b"pretending to run"

    def execute(self, command: Sequence[str]) -> ExecResult:
        """Return the command as output."""
        return ExecResult(0, " ".join(command).encode() + b"\n")

    def open_exec(self, command: Sequence[str], *, tty: bool) -> ExecSession:
        """Return the command as output, then echo the input until it ends."""
        here, there = socket.socketpair()

        def echo() -> None:
            with there, suppress(OSError):
                data = " ".join(command).encode() + b"\n"
                while data:
                    there.sendall(data if tty else encode_frame(STDOUT, data))
                    data = there.recv(_CHUNK)

        threading.Thread(target=echo, daemon=True).start()
        return ExecSession(here, tty=tty, code=lambda: 0, resize=lambda *_: None)

    def attach(self) -> ExecSession:
        """Echo the input."""
        return self.open_exec((), tty=False)

    def stop(self, seconds: int) -> None:
        """Stop at once."""
        self._ended.set()

    def remove(self) -> None:
        self._ended.set()
        with self._mutex:  # of several callers, one gives the address back
            servers, self._servers = self._servers, []
            is_first, self._is_removed = not self._is_removed, True
        for server in servers:
            server.shutdown()
            server.server_close()
        if is_first:
            self._addresses.give_back(self.address)
