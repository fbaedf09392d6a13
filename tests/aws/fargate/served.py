"""An app that a task really serves: a program of a few lines on the machine's base image, built in a moment."""

from __future__ import annotations

import os
import textwrap
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mldeploy.image import catalogue
from mldeploy.image.engine import Engine

BASE = os.environ.get("MLDEPLOY_TEST_BASE", "mldeploy/python:3.11-slim")
PORT = 8080

_PROGRAM = """
import http.server, json, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
VERSION = {version!r}
{before}
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer({status}, VERSION.encode())
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, json.dumps({{"version": VERSION, "secret": os.environ.get("API_KEY", "")}}).encode())
    def log_message(self, *args):
        print("asked", args[1], flush=True)
print("serving", VERSION, flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", {port}), Handler).serve_forever()
"""


@dataclass(frozen=True)
class ServedApp:
    """A folder with the app, and its name."""

    folder: Path
    name: str

    def write(self, version: str, *, before: str = "", status: int = 200, port: int = PORT, listens: int = 0) -> None:
        """Make it this version. before: statements that run first. listens: another port than the one it should."""
        text = _PROGRAM.format(version=version, before=before, status=status, port=listens or port)
        (self.folder / "app.py").write_text(text)
        self.configure(port=port)

    def configure(self, *, port: int = PORT, start_timeout: float = 2, **target: object) -> None:
        table = "\n".join(f"{key} = {_toml(value)}" for key, value in target.items())
        (self.folder / "mldeploy.toml").write_text(
            textwrap.dedent(
                f"""
                [app]
                name = "{self.name}"
                port = {port}
                models = []
                [build]
                dockerfile = "Dockerfile"
                builder = "classic"
                [check]
                start_timeout = {start_timeout}
                [target.fargate]
                """
            )
            + table
        )


@contextmanager
def served_app(folder: Path, engine: Engine) -> Iterator[ServedApp]:
    """Its images go at the end."""
    app = ServedApp(folder, f"f{uuid.uuid4().hex[:10]}")
    folder.mkdir()
    (folder / "requirements.txt").write_text("")
    (folder / "Dockerfile").write_text(f'FROM {BASE}\nUSER 10001\nCOPY app.py /app.py\nCMD ["python3", "/app.py"]\n')
    app.write("one")
    try:
        yield app
    finally:
        catalogue.remove(engine, app.name)


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
