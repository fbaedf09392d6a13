"""A registry that holds one image, as far as pulling it goes. Standard: OCI distribution spec 1.1."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Registry:
    """reference: what to pull. digest: the image's. login: `user:password` in base64, empty where anybody may pull."""

    address: str
    architecture: str = "amd64"
    login: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifest: bytes = b""

    @property
    def reference(self) -> str:
        return f"{self.address}/base:1"

    @property
    def digest(self) -> str:
        return digest(self.manifest)

    def fill(self) -> None:
        """Hold an image of two layers that no engine has seen before."""
        layers = [_layer(f"file{number}") for number in range(2)]
        config = {
            "architecture": self.architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        }
        parts = [(CONFIG, json.dumps(config).encode()), *((LAYER, gzip.compress(layer)) for layer in layers)]
        self.blobs = {digest(content): content for _, content in parts}
        messages = [{"mediaType": kind, "size": len(content), "digest": digest(content)} for kind, content in parts]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": messages[0], "layers": messages[1:]}
        self.manifest = json.dumps(manifest).encode()


def _layer(name: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = 3 << 20
        tar.addfile(info, io.BytesIO(os.urandom(info.size)))
    return made.getvalue()


@contextmanager
def registry() -> Iterator[Registry]:
    """On this machine, where the engine asks for no TLS, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            last = self.path.rpartition("/")[2]
            if held.login and self.headers.get("Authorization") != f"Basic {held.login}":
                self._answer(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}', "application/json")
            elif self.path == "/v2/":
                self._answer(200, b"{}", "application/json")
            elif self.path.startswith("/v2/base/manifests/") and last in ("1", held.digest):
                self._answer(200, held.manifest, MANIFEST)
            elif last in held.blobs:
                self._answer(200, held.blobs[last], "application/octet-stream")
            else:
                self._answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', "application/json")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Www-Authenticate", 'Basic realm="test"')
            self.send_header("Content-Type", kind)
            self.send_header("Docker-Content-Digest", digest(body))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        held = Registry(f"127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield held
        server.shutdown()
