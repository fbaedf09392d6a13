"""A sample app for conformance tests: a small program on a base image, built in a second."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mldeploy.config.settings import Project
from mldeploy.image import catalogue
from mldeploy.image.engine import Engine
from mldeploy.project.load import load_project

ROUTE = "/predict_api"
"""The route that answers with the version, as JSON: see `SampleVersion.answer`."""

_PROGRAM = """\
import http.server, json, os, pathlib, signal, threading
CODE, PORT = {code!r}, {port}
MODEL = pathlib.Path("/model.txt").read_text()
{before}
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer({status}, b"{{}}")
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = {{"code": CODE, "model": MODEL, "greeting": os.environ.get("GREETING", ""), "port": PORT}}
        self.answer(200, json.dumps(body).encode())
    def log_message(self, *args):
        pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # accepted requests are answered before the end
    request_queue_size = 128  # of connections at once; more than 5, the default, would have to try again
server = Server(("0.0.0.0", PORT), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("serving", CODE, flush=True)
server.serve_forever(0.05)
server.server_close()
"""
_DOCKERFILE = """\
FROM {base}
USER 10001
COPY model.txt /model.txt
COPY app.py /app.py
CMD ["python3", "/app.py"]
"""
_CONFIGURATION = """\
[app]
name = "{name}"
port = {port}
health = "/health"
memory = "{memory}"
models = []
[app.env]
GREETING = "{greeting}"
[build]
dockerfile = "Dockerfile"
[check]
start_timeout = {patience}
"""


@dataclass(frozen=True)
class SampleVersion:
    """One version of the app. memory: as in the configuration.

    before: statements to run before it serves. status: of its health path. listens: the port if it differs from the
    configured one. patience: the start timeout in seconds.
    """

    code: str = "one"
    model: str = "first"
    greeting: str = "hello"
    port: int = 8080
    memory: str = "512m"
    before: str = ""
    status: int = 200
    listens: int = 0
    patience: float = 60.0

    @property
    def answer(self) -> dict[str, object]:
        """The answer to a prediction."""
        return {"code": self.code, "model": self.model, "greeting": self.greeting, "port": self.port}


@dataclass(frozen=True)
class SampleApp:
    """The app's folder and name. base: an image with `python3`."""

    folder: Path
    name: str
    base: str

    def write(self, version: SampleVersion, *, more: str = "") -> None:
        """Write the version to the folder. more: further tables of the configuration."""
        program = _PROGRAM.format(
            code=version.code, port=version.listens or version.port, before=version.before, status=version.status
        )
        configuration = _CONFIGURATION.format(
            name=self.name,
            port=version.port,
            memory=version.memory,
            greeting=version.greeting,
            patience=version.patience,
        )
        (self.folder / "app.py").write_text(program)
        (self.folder / "model.txt").write_text(version.model)
        (self.folder / "Dockerfile").write_text(_DOCKERFILE.format(base=self.base))
        (self.folder / "requirements.txt").touch()
        (self.folder / "mldeploy.toml").write_text(configuration + more)

    @property
    def project(self) -> Project:
        """The project as the command line loads it."""
        return load_project(self.folder).project


@contextmanager
def sample_app(folder: Path, base: str) -> Iterator[SampleApp]:
    """Create a `SampleVersion()` in a new folder under a unique name. Its images are removed at the end."""
    app = SampleApp(folder, f"s{uuid.uuid4().hex[:10]}", base)
    folder.mkdir()
    app.write(SampleVersion())
    try:
        yield app
    finally:
        engine = Engine.connect()
        catalogue.remove_images(engine, app.name)
        engine.client.close()
