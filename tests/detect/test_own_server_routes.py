"""Apps of aiohttp and Tornado: how they are started, on which port, and the routes that they have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mldeploy.project.detect.folder import DetectedFolder, detect_folder
from mldeploy.project.detect.routes.app_routes import map_routes
from mldeploy.project.detect.source.python_source import SourceTree
from mldeploy.project.detect.tables import build_tables
from mldeploy.project.detect.tree import scan_folder

HANDLERS = """import os
from aiohttp import web


async def up(request):
    return web.json_response({})


async def answer(request):
    return web.json_response(await request.json())


"""
RUN = "if __name__ == '__main__':\n    web.run_app(app, port=9000)\n"
AIOHTTP = {
    "methods of the router": "app = web.Application()\napp.router.add_get('/health', up)\n"
    "app.router.add_post('/predict', answer)\n" + RUN,
    "a list": "app = web.Application()\napp.add_routes([web.get('/health', up), web.post('/predict', answer)])\n" + RUN,
    "a table": "routes = web.RouteTableDef()\n\n\n@routes.get('/livez')\nasync def live(request):\n"
    "    return await up(request)\n\n\n@routes.post('/predict')\nasync def predict(request):\n"
    "    return web.json_response(await request.json())\n\n\napp = web.Application()\napp.add_routes(routes)\n" + RUN,
    "a part": "part = web.Application()\npart.router.add_get('/health', up)\npart.router.add_post('/predict', answer)\n"
    "app = web.Application()\napp.add_subapp('/v1', part)\n" + RUN,
    "a function": "def make():\n    app = web.Application()\n    app.add_routes([web.get('/health', up)])\n"
    "    add(app)\n"
    "    return app\n\n\ndef add(server):\n    server.add_routes([web.post('/predict', answer)])\n\n\napp = make()\n"
    + RUN,
}
ROUTES_OF_AIOHTTP = """
import app, json
listed = {(route.method, route.resource.canonical) for route in app.app.router.routes()}
print(json.dumps(sorted(listed)))
"""


def detected(folder: Path, text: str) -> DetectedFolder:
    (folder / "app.py").write_text(text)
    return detect_folder(folder)


@pytest.mark.parametrize("name", AIOHTTP)
def test_claimed_routes_are_those_of_the_router(tmp_path: Path, name: str) -> None:
    folder = detected(tmp_path, HANDLERS + AIOHTTP[name])
    app = build_tables(folder)["app"]
    assert (app["command"], app["port"]) == (["python", "app.py"], 9000)
    sources = SourceTree(scan_folder(tmp_path))
    module = sources.module("app.py")
    assert module
    assert folder.entry
    claimed = {
        (method, route.path)
        for route in map_routes(sources, (module,), folder.entry.value).routes
        for method in route.methods
    }
    ended = subprocess.run(
        [sys.executable, "-c", ROUTES_OF_AIOHTTP], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    real = {(method, path) for method, path in json.loads(ended.stdout) if method != "HEAD"}
    assert claimed <= real
    assert folder.health
    assert folder.predict
    assert ("GET", folder.health.value) in real
    assert ("POST", folder.predict.value) in real


TORNADO = """import tornado.ioloop
import tornado.web
from tornado.options import define, options

define("port", default=8123)


class Up(tornado.web.RequestHandler):
    def get(self):
        self.write("ok")


class Answer(tornado.web.RequestHandler):
    def post(self):
        self.write({"n": len(self.request.body)})


def make_app():
    return tornado.web.Application([HANDLERS])


if __name__ == "__main__":
    make_app().listen(options.port)
    tornado.ioloop.IOLoop.current().start()
"""


@pytest.mark.parametrize(
    ("handlers", "health", "predict"),
    [
        ('(r"/health", Up), (r"/predict/?", Answer)', "/health", "/predict"),
        ('(r"^/healthz$", Up), tornado.web.url(r"/v1/predict", Answer, name="p")', "/healthz", "/v1/predict"),
        ('(r"/(health|ready)", Up), (r"/predict/([0-9]+)", Answer)', None, None),
        ("*EXTRA", None, None),
    ],
)
def test_patterns_of_tornado_are_claimed_where_they_are_plain(
    tmp_path: Path, handlers: str, health: str | None, predict: str | None
) -> None:
    folder = detected(tmp_path, TORNADO.replace("HANDLERS", handlers))
    app = build_tables(folder)["app"]
    assert (app["command"], app["port"]) == (["python", "app.py"], 8123)
    assert (app.get("health"), app.get("predict")) == (health, predict)
    assert ("no-health" in {each.code for each in folder.remarks}) is (health is None)
    assert "health_by" not in app


def test_an_app_that_nothing_starts_is_refused_with_the_way_out(tmp_path: Path) -> None:
    folder = detected(tmp_path, HANDLERS + "app = web.Application()\n")
    (remark,) = [each for each in folder.remarks if each.code == "entry-not-served"]
    assert remark.what == "makes an app of aiohttp that nothing in this file starts"
    assert "web.run_app(app, port=8080)" in remark.todo


def test_a_server_that_only_the_container_reaches_is_told(tmp_path: Path) -> None:
    text = TORNADO.replace("listen(options.port)", "listen(8888, address='127.0.0.1')").replace("HANDLERS", "")
    folder = detected(tmp_path, text)
    assert [each.code for each in folder.remarks if each.severity == "error"] == ["loopback"]
