"""An app with a server of its own is asked where it answers, by `build` and by `init --probe`: on the real engine."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.image.engine import Engine
from tests.cli.command import Command
from tests.local.world import BASE
from tests.names import remove_app

pytestmark = pytest.mark.engine

SERVER = """\
import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

ANSWERS = json.loads(os.environ["ANSWERS"])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in ANSWERS else 404)
        self.end_headers()
        self.wfile.write(json.dumps(ANSWERS.get(self.path)).encode())


HTTPServer((os.environ["ADDRESS"], int("70" + "07")), Handler).serve_forever()
"""
OPENAPI = '{"paths": {"/score": {"post": {"requestBody": {"content": {"application/json": {}}}}}}}'


@pytest.fixture
def own(mldeploy: Command, engine: Engine, name: str) -> Iterator[Command]:
    """The command line in a folder with a Dockerfile, of which no file says the port or a health path."""
    folder = mldeploy.folder.parent / name
    folder.mkdir()
    write_server(folder, '{"/ping": "pong"}')
    (folder / "serve.py").write_text(SERVER)
    yield Command(mldeploy.home, folder, mldeploy.extra)
    remove_app(engine, name)


def write_server(folder: Path, answers: str, address: str = "0.0.0.0") -> None:
    lines = (
        f"FROM {BASE}",
        "WORKDIR /srv",
        "COPY serve.py ./",
        f"ENV ADDRESS={address} ANSWERS='{answers}'",
        "USER 1000",
        'CMD ["python", "serve.py"]',
    )
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")


def test_its_port_and_its_health_are_those_that_answer(own: Command) -> None:
    before = own("plan")
    assert "health and port: known after the build" in before.err
    built = own("build", within=600)
    assert built.code == 0, built.err
    assert "port is 7007 (the app listens on 7007; the source suggested 5000)" in built.err
    assert "health is /ping" in built.err
    after = own("plan")  # the answer is kept: nothing is started again
    assert "port is 7007" in after.err
    assert "known after" not in after.err


def test_init_writes_what_the_app_answered_and_no_guess(own: Command) -> None:
    write_server(own.folder, f'{{"/readyz": 1, "/openapi.json": {OPENAPI}}}')
    result = own("init", "--probe", within=600)
    assert result.code == 0, result.err
    app = tomllib.loads((own.folder / "mldeploy.toml").read_text())["app"]
    assert (app["port"], app["health"], app["predict"]) == (7007, "/readyz", "/score")
    again = own("init", "--probe")  # refused before anything is built or started
    assert again.code != 0
    assert "--force" in again.err
    assert "Build the image" not in again.err


@pytest.mark.parametrize(("answers", "address"), [("{}", "0.0.0.0"), ('{"/health": 1}', "127.0.0.1")])
def test_nothing_is_claimed_that_does_not_answer(own: Command, answers: str, address: str) -> None:
    (own.folder / "mldeploy.toml").write_text("[check]\nstart_timeout = 8\n")
    write_server(own.folder, answers, address)
    result = own("init", "--probe", "--force", within=600)
    app = tomllib.loads((own.folder / "mldeploy.toml").read_text())["app"]
    assert result.code == 0, result.err
    assert "health" not in app
    assert ("the app did not answer" in result.err.lower()) == (address == "127.0.0.1")


FLASK = """\
import os

from flask import Blueprint, Flask

inner = Blueprint("inner", __name__)


@inner.get("/health")
def health():
    return "ok"


app = Flask(__name__)
app.register_blueprint(inner, url_prefix=os.sep + "v3")
"""


def test_the_routes_of_an_app_that_mldeploy_serves_are_written(own: Command) -> None:
    (own.folder / "Dockerfile").unlink()
    (own.folder / "serve.py").write_text(FLASK)
    (own.folder / "requirements.txt").write_text("flask==3.1.3\n")
    result = own("init", "--probe", within=600)
    assert result.code == 0, result.err
    written = (own.folder / "mldeploy.toml").read_text()
    assert tomllib.loads(written)["app"].get("health", "/v3/health") == "/v3/health"
