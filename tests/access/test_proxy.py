"""The proxy of an app with a server of its own: it runs as in its container, asks for keys, and takes new ones."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

import mldeploy_proxy
from mldeploy.config.access_keys import AccessKey
from mldeploy_proxy.control import ROUTES, SOCKET, send_request
from tests.ports import reserved_port

OLD, NEW = AccessKey.make("old"), AccessKey.make("new")
PATIENCE = 300
ROOT = Path(mldeploy_proxy.__file__).parents[1]


class OwnServer(http.server.BaseHTTPRequestHandler):
    """Answers with the header fields that it gets."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps(dict(self.headers)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@dataclass(frozen=True)
class KeyedProxy:
    """The proxy's process. folder: of its routes."""

    folder: Path
    port: int
    backend: int

    def routes(self, *keys: AccessKey, rate: str = "") -> str:
        digests = " ".join(each.digest for each in keys)
        access = {"health": "/health", "digests": digests, "rate": rate}
        return json.dumps({"backends": [["127.0.0.1", self.backend, 1]], "access": access})

    def ask(self, path: str = "/", method: str = "GET", **headers: str) -> requests.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(method, f"http://127.0.0.1:{self.port}{path}", headers=sent, timeout=PATIENCE)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[KeyedProxy]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OwnServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with reserved_port() as port:
        keyed = KeyedProxy(tmp_path, port, server.server_port)
        (tmp_path / ROUTES).write_text(keyed.routes(OLD))
        for name in ("mldeploy_access_keys.py", "mldeploy_access_page.py"):
            shutil.copy(ROOT / "mldeploy" / "image" / "server" / name, tmp_path)
        path = os.pathsep.join((str(ROOT), str(tmp_path)))
        process = subprocess.Popen(
            [sys.executable, "-m", "mldeploy_proxy.access.keyed", str(port), str(tmp_path)],
            env={**os.environ, "PYTHONPATH": path},
        )
        try:
            _await_health(keyed, process)
            yield keyed
        finally:
            process.terminate()
            process.wait(PATIENCE)
            server.shutdown()
            server.server_close()


def _await_health(proxy: KeyedProxy, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            assert proxy.ask("/health").status_code == 200
            return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise AssertionError("the proxy does not answer")


def test_only_the_health_check_passes_without_a_key(proxy: KeyedProxy) -> None:
    assert proxy.ask("/health?all=1").status_code == 200
    for path in ("/", "/health/", "//health", "/predict"):
        refused = proxy.ask(path)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == 'Bearer realm="mldeploy"'
    assert proxy.ask("/health", "POST").status_code == 401
    assert proxy.ask(X_API_Key=NEW.value.reveal()).status_code == 401
    assert "Access key" in proxy.ask(Accept="text/html").text


def test_the_app_gets_neither_header_with_a_key(proxy: KeyedProxy) -> None:
    key = OLD.value.reveal()
    for headers in ({"Authorization": f"Bearer {key}"}, {"X_API_Key": key}):
        seen = proxy.ask(X_Other="kept", **headers)
        assert seen.status_code == 200
        assert seen.json()["X-Other"] == "kept"
        assert key not in seen.text
    assert proxy.ask(X_API_Key=key, Authorization="Basic YTpi").json()["Authorization"] == "Basic YTpi"


def test_new_routes_bring_new_keys_and_routes_without_keys_close_the_app(proxy: KeyedProxy) -> None:
    old, new = OLD.value.reveal(), NEW.value.reveal()
    assert (proxy.folder / SOCKET).exists()
    send_request(proxy.folder, proxy.routes(OLD, NEW))
    assert [proxy.ask(X_API_Key=each).status_code for each in (old, new)] == [200, 200]
    send_request(proxy.folder, proxy.routes(NEW))
    assert [proxy.ask(X_API_Key=each).status_code for each in (old, new)] == [401, 200]
    send_request(proxy.folder, json.dumps({"backends": [["127.0.0.1", proxy.backend, 1]]}))
    assert [proxy.ask(X_API_Key=each).status_code for each in (old, new)] == [503, 503]


def test_the_rate_holds_for_each_key(proxy: KeyedProxy) -> None:
    send_request(proxy.folder, proxy.routes(OLD, NEW, rate="0.01"))
    old, new = OLD.value.reveal(), NEW.value.reveal()
    assert [proxy.ask(X_API_Key=each).status_code for each in (old, old, new, new)] == [200, 429, 200, 429]
