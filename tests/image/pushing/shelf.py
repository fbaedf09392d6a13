"""A registry that answers what it is told to, and remembers what it was asked."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from mldeploy.config.secret import Secret
from mldeploy.image.registry.access import RegistryAccess

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TOKEN = "a-token-of-its-own"
USER, PASSWORD = "ada", "lovelace"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Shelf:
    """holds: path below /v2/ → body. wants: `basic`, `bearer`, or nothing. statuses: what is answered first, once each.

    trusts: whether a token that was handed out is good. token_statuses: what whoever wants one is answered first.
    asked: method, path and kind of credentials of every request; token_queries: what the token was asked for.
    """

    address: str = ""
    scope: str = "repository:app:pull"
    holds: dict[str, bytes] = field(default_factory=dict)
    wants: str = ""
    statuses: list[int] = field(default_factory=list)
    trusts: bool = True
    token_statuses: list[int] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    token_queries: list[dict[str, list[str]]] = field(default_factory=list)

    def access(self, password: str = PASSWORD) -> RegistryAccess:
        return RegistryAccess(self.address, USER, Secret(password))

    def put(self, repository: str, tag: str, labels: Mapping[str, str]) -> tuple[str, str]:
        """Hold an image; its digest, and its configuration's."""
        config = json.dumps({"config": {"Labels": labels}}).encode()
        manifest = json.dumps({"schemaVersion": 2, "config": {"digest": digest(config)}, "layers": []}).encode()
        self.holds[f"{repository}/blobs/{digest(config)}"] = config
        self.holds[f"{repository}/manifests/{tag}"] = manifest
        self.holds[f"{repository}/manifests/{digest(manifest)}"] = manifest
        return digest(manifest), digest(config)

    def allows(self, authorization: str) -> bool:
        kind, _, rest = authorization.partition(" ")
        if self.wants == "basic":
            return kind == "Basic" and base64.b64decode(rest).decode() == f"{USER}:{PASSWORD}"
        return not self.wants or (self.trusts and authorization == f"Bearer {TOKEN}")

    def answer(self, method: str, target: str, authorization: str) -> tuple[int, bytes]:
        """Status and body."""
        path = urlsplit(target)
        self.asked.append((method, path.path, authorization.partition(" ")[0]))
        if path.path == "/token":
            if self.token_statuses:
                return self.token_statuses.pop(0), b"{}"
            self.token_queries.append(parse_qs(path.query))
            return 200, json.dumps({"token": TOKEN}).encode()
        if self.statuses:
            return self.statuses.pop(0), b'{"errors":[{"code":"UNKNOWN","message":"not today"}]}'
        if not self.allows(authorization):
            return 401, b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}'
        body = self.holds.get(path.path.removeprefix("/v2/"))
        return (404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}') if body is None else (200, body)


@contextmanager
def opened() -> Iterator[Shelf]:
    """On this machine, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            self._answer(*shelf.answer(self.command, self.path, self.headers.get("Authorization", "")))

        def do_POST(self) -> None:
            """Nobody may bring it anything; the engine takes that for an answer, where it would try again for a 500."""
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(403, b'{"errors":[{"code":"DENIED","message":"not to you"}]}')

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status == 401:
                bearer = f'Bearer realm="http://{shelf.address}/token",service="shelf",scope="{shelf.scope}"'
                self.send_header("Www-Authenticate", bearer if shelf.wants == "bearer" else 'Basic realm="shelf"')
            for name, value in shelf.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json" if status != 200 else MANIFEST)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        shelf = Shelf(f"127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield shelf
        server.shutdown()
