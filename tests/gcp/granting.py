"""A Resource Manager that grants what it is told to, over TLS."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

from mldeploy.config.endpoints import Endpoints


@contextmanager
def granting(endpoints: Endpoints, refused: Collection[str], folder: Path) -> Iterator[Endpoints]:
    """The same endpoints, but for what is said of permissions: all are granted except those."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["permissions"]
            body = json.dumps({"permissions": [each for each in asked if each not in refused]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    authority = trustme.CA()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    bundle = folder / "both.pem"
    known = endpoints.ca_bundle.read_bytes() if endpoints.ca_bundle else b""
    bundle.write_bytes(known + authority.cert_pem.bytes())
    services = {**dict(endpoints.services), "resourcemanager": f"https://127.0.0.1:{server.server_port}"}
    try:
        yield replace(endpoints, ca_bundle=bundle, services=tuple(services.items()))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
