"""A program that answers on a Unix socket as a Docker Engine would, and says of itself what a test wants it to say."""

from __future__ import annotations

import copy
import json
import re
import socket
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

VERSION = {
    "Version": "27.3.1",
    "ApiVersion": "1.44",
    "MinAPIVersion": "1.24",
    "Os": "linux",
    "Arch": "amd64",
    "Platform": {"Name": "Docker Engine - Community"},
    "Components": [{"Name": "Engine", "Version": "27.3.1"}],
}
INFO = {
    "Name": "elsewhere",
    "OperatingSystem": "Ubuntu 24.04",
    "OSType": "linux",
    "NCPU": 4,
    "MemTotal": 8 << 30,
    "DockerRootDir": "/var/lib/docker",
    "DriverStatus": [["Backing Filesystem", "extfs"]],
    "SecurityOptions": ["name=seccomp,profile=default"],
    "MemoryLimit": True,
    "CpuCfsQuota": True,
    "PidsLimit": True,
    "RegistryConfig": {"IndexConfigs": {}, "Mirrors": []},
}


@dataclass
class FakeEngine:
    """What it answers may be changed at any time. images and offered: by reference; offered ones are in a registry.

    refusal: what asking a registry fails with. ahead: seconds by which its clock is. hangs: it accepts and is silent.
    """

    path: Path
    version: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(VERSION))
    info: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(INFO))
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    offered: dict[str, list[str]] = field(default_factory=dict)
    refusal: str = "no such host"
    ahead: float = 0.0
    hangs: bool = False
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def endpoint(self) -> str:
        return f"unix://{self.path}"

    def is_this_machines(self, root: Path) -> None:
        """From now on it runs here and keeps its data in that folder."""
        self.info |= {"Name": socket.gethostname(), "DockerRootDir": str(root)}

    def has(self, reference: str, *environment: str) -> None:
        """From now on the image is on it."""
        self.images[reference] = {
            "Id": "sha256:1",
            "Os": "linux",
            "Architecture": "amd64",
            "Size": 1,
            "Config": {"Env": list(environment)},
        }

    def answer(self, path: str) -> tuple[int, object]:
        words = re.sub(r"^/(v[0-9.]+/)?", "", unquote(path.partition("?")[0]))
        if words == "version":
            return 200, self.version
        if words == "info":
            now = datetime.now(UTC) + timedelta(seconds=self.ahead)
            return 200, {**self.info, "SystemTime": now.isoformat().replace("+00:00", "789Z")}
        if words == "system/df":
            return 200, {"LayersSize": 12_000_000_000, "BuildCache": [{"Size": 3_000_000_000, "Shared": False}]}
        return (200, []) if words == "containers/json" else self._about_image(words)

    def _about_image(self, words: str) -> tuple[int, object]:
        kind, _, rest = words.partition("/")
        reference = rest.removesuffix("/json")
        if kind == "images" and reference in self.images:
            return 200, self.images[reference]
        if kind == "distribution" and reference in self.offered:
            platforms = [each.split("/") for each in self.offered[reference]]
            return 200, {"Platforms": [{"os": system, "architecture": processor} for system, processor in platforms]}
        return (
            (500, {"message": self.refusal})
            if kind == "distribution"
            else (404, {"message": f"No such image: {reference}"})
        )

    def __enter__(self) -> Self:
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        super().__init__(str(engine.path), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has lost its patience leaves a broken pipe."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if self.server.engine.hangs:
            self.server.engine.closed.wait()
            return
        status, answer = self.server.engine.answer(self.path)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the overridden method's name
        """Nobody reads it."""
