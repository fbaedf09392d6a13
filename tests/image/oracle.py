"""What the Docker command itself would send to an engine: its classic builder, talking to one that only listens."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DOCKER = shutil.which("docker")


@dataclass
class Listener:
    """Plays the engine for `docker build`, and keeps the context that it is sent."""

    address: str
    context: bytes = b""
    environment: dict[str, str] = field(default_factory=dict)

    def sent(self, folder: Path) -> set[str] | None:
        """The paths of a folder's build context; None if the command refuses the folder."""
        self.context = b""
        command = [str(DOCKER), "build", "--quiet", str(folder)]
        done = subprocess.run(command, env=self.environment, capture_output=True, timeout=600, check=False)
        if done.returncode or not self.context:
            return None
        with tarfile.open(fileobj=io.BytesIO(self.context)) as tar:
            return {member.name.rstrip("/") for member in tar} - {"."}


@contextmanager
def listener() -> Iterator[Listener]:
    """Listens on a port of its own until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(b"")

        def do_GET(self) -> None:
            self._answer(b"OK" if self.path.endswith("/_ping") else b"{}")

        def do_POST(self) -> None:
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            result.context = b"".join(chunks)
            self._answer(b'{"aux":{"ID":"sha256:0"}}\n')

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Api-Version", "1.41")
            self.send_header("Ostype", "linux")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"tcp://127.0.0.1:{server.server_address[1]}"
        result = Listener(address, environment={**os.environ, "DOCKER_HOST": address, "DOCKER_BUILDKIT": "0"})
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield result
        server.shutdown()
