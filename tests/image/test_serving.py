"""Every kind of app that `mldeploy init` knows, served by an image of our recipe under every restriction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from mldeploy.image.engine import Engine
from mldeploy.image.types import Image
from mldeploy.project.load import load_project
from tests.image.shop import Shop, write
from tests.image.test_image import LASTING, PATIENCE, PATIENT, SECOND, address, until_told

pytestmark = pytest.mark.engine

KILLED = 137
RESTRICTED = {"read_only": True, "tmpfs": {"/tmp": ""}, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}

API = """\
import os

from fastapi import FastAPI
from pydantic import BaseModel

WHERE = os.getcwd()


class Row(BaseModel):
    age: int


def create_app(name="anonymous"):
    app = FastAPI()

    @app.get("/health")
    def health():
        return "ok"

    @app.post("/predict")
    async def predict(row: Row):
        return {"name": name, "charge": row.age * 2, "uid": os.getuid(), "parent": os.getppid()}

    return app


app = create_app()
"""
NEIGHBOUR = """\
import neighbour
from fastapi import FastAPI

app = FastAPI()
text = open("beside.txt").read()


@app.get("/health")
def health():
    return [neighbour.NAME, text]
"""
PLAIN = """\
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})
"""
POSTS = """\
loaded = []


def wsgi(environ, start_response):
    taken = environ["REQUEST_METHOD"] == "POST"
    start_response("200 OK" if taken else "405 Method Not Allowed", [("Content-Length", "0")])
    return []


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        loaded.append("model")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        status = 200 if scope["method"] == "POST" and loaded else 405
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body"})
"""
SETTINGS = """\
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
SECRET_KEY = "for the test"
ROOT_URLCONF = "mysite.urls"
"""
URLS = """\
from django.http import JsonResponse
from django.urls import path


def answer(request):
    return JsonResponse({"interface": type(request).__name__})


urlpatterns = [path("health", answer), path("", answer)]
"""
CALLABLE = """\
import os

from django.core.{interface} import get_{interface}_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
application = get_{interface}_application()
"""
FILES = {
    "requirements.txt": "fastapi==0.139.0\ndjango==5.2.8\n",
    "main.py": API,
    "plain.py": PLAIN,
    "posts.py": POSTS,
    "deploy/app.py": NEIGHBOUR,
    "deploy/neighbour.py": "NAME = 'neighbour'\n",
    "deploy/beside.txt": "beside",
    "mysite/__init__.py": "",
    "mysite/settings.py": SETTINGS,
    "mysite/urls.py": URLS,
    "mysite/wsgi.py": CALLABLE.format(interface="wsgi"),
    "mysite/asgi.py": CALLABLE.format(interface="asgi"),
}
"""One folder with five apps: they share an image's dependencies, which are most of what a build takes."""


@dataclass
class Served:
    """An app that is healthy. After the block: what it logged, and its exit code."""

    url: str
    log: str = ""
    exit_code: int = -1

    @property
    def is_prompt(self) -> bool:
        """It stopped when it was asked to: it was not killed for waiting for a client, which would take too long."""
        return self.exit_code not in (-1, KILLED)


@contextmanager
def served(shop: Shop, image: Image, **settings: Any) -> Iterator[Served]:
    """The app in a container that may do nothing that it need not, from healthy to stopped."""
    client = shop.engine.client
    config = shop.inspected(image)["Config"]
    assert config["User"] == "10001:10001"
    quickly = {"Test": config["Healthcheck"]["Test"], "Interval": SECOND // 3, **PATIENT}
    environment = {"GUNICORN_CMD_ARGS": LASTING, **settings.pop("environment", {})}
    with shop.container(image, host=RESTRICTED, healthcheck=quickly, environment=environment, **settings) as container:
        await_health(shop, container)
        running = Served(address(shop, container))
        yield running
        client.stop(container, timeout=PATIENCE)
        running.exit_code = client.inspect_container(container)["State"]["ExitCode"]
        running.log = client.logs(container).decode()


def await_health(shop: Shop, container: str) -> None:
    assert until_told(shop, container) == "healthy", shop.engine.client.logs(container).decode()


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("apps") / "apps", engine)
    write(shop.folder, FILES)
    yield shop
    shop.remove()


def image_of(shop: Shop, **app: Any) -> Image:
    return shop.build(shop.project(app={"interface": "asgi", "health": "/health", **app})).out


@pytest.mark.exhaustive
def test_fastapi_is_served_by_processes_that_share_the_loaded_app(apps: Shop) -> None:
    with served(apps, image_of(apps, entry="main:app"), environment={"WEB_CONCURRENCY": "2"}) as running:
        answer = requests.post(f"{running.url}/predict", json={"age": 21}, timeout=PATIENCE).json()
    assert answer == {"name": "anonymous", "charge": 42, "uid": 10001, "parent": answer["parent"]}
    assert running.log.count("Booting worker") == 2
    assert '"POST /predict HTTP/1.1" 200' in running.log
    assert "/health" not in running.log
    assert "Traceback" not in running.log
    assert (running.exit_code, running.is_prompt) == (0, True)


def test_a_stop_answers_what_an_asgi_app_has_accepted_and_drops_idle_connections(apps: Shop) -> None:
    with requests.Session() as idle, served(apps, image_of(apps, entry="main:app")) as running:
        assert idle.get(f"{running.url}/health", timeout=PATIENCE).ok
    assert (running.exit_code, running.is_prompt) == (0, True)


def test_a_factory_is_called_with_what_is_written(apps: Shop) -> None:
    with served(apps, image_of(apps, entry='main:create_app(name="called")')) as running:
        answer = requests.post(f"{running.url}/predict", json={"age": 1}, timeout=PATIENCE).json()
    assert answer["name"] == "called"


@pytest.mark.exhaustive
def test_an_app_in_a_sub_folder_finds_its_neighbours(apps: Shop) -> None:
    image = image_of(apps, entry="app:app", chdir="deploy")
    with served(apps, image) as running:
        assert requests.get(f"{running.url}/health", timeout=PATIENCE).json() == ["neighbour", "beside"]
    assert apps.inspected(image)["Config"]["WorkingDir"] == "/app/deploy"


def test_a_plain_asgi_callable_needs_no_framework(apps: Shop) -> None:
    with served(apps, image_of(apps, entry="plain:app")) as running:
        assert requests.get(f"{running.url}/any/path", timeout=PATIENCE).text == "/any/path"
    assert (running.exit_code, running.is_prompt) == (0, True)


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_the_server_answers_for_an_app_that_has_no_page_for_its_health(apps: Shop, interface: str) -> None:
    image = image_of(apps, entry=f"posts:{interface}", interface=interface, health_by="server")
    with served(apps, image) as running:
        assert requests.get(f"{running.url}/health?of=it", timeout=PATIENCE).text == "loaded\n"
        assert requests.head(f"{running.url}/health", timeout=PATIENCE).ok
        for method, path, status in (("GET", "/predict", 405), ("POST", "/predict", 200), ("POST", "/health", 200)):
            assert requests.request(method, running.url + path, timeout=PATIENCE).status_code == status
    assert (running.exit_code, running.is_prompt) == (0, True)
    assert "Traceback" not in running.log


def test_django_speaks_both(apps: Shop) -> None:
    image = image_of(apps, entry="mysite.asgi:application")
    with served(apps, image) as running:
        assert requests.get(running.url, timeout=PATIENCE).json() == {"interface": "ASGIRequest"}
    words = ["gunicorn", "--config=/venv/gunicorn_conf.py", "mysite.wsgi:application"]
    with served(apps, image, command=words) as running:
        assert requests.get(running.url, timeout=PATIENCE).json() == {"interface": "WSGIRequest"}
    assert (running.exit_code, running.is_prompt) == (0, True)


@pytest.mark.exhaustive
def test_a_command_of_the_apps_own_gets_its_port_and_no_other_word(apps: Shop) -> None:
    """Whatever a variable holds, and whatever a word looks like to a shell, it stays one word."""
    script = "import http.server, sys\nprint(sys.argv[1:], flush=True)\n"
    script += "class Handler(http.server.BaseHTTPRequestHandler):\n"
    script += "    def do_GET(self):\n        self.send_response(200)\n        self.end_headers()\n"
    script += "http.server.ThreadingHTTPServer(('0.0.0.0', int(sys.argv[1])), Handler).serve_forever()\n"
    write(apps.folder, {"own.py": script, "nothing.txt": ""})
    words = ("python", "own.py", "$PORT", "${WEB_CONCURRENCY}", "$$PORT", "a b; echo `id` 'c'", "")
    image = apps.build(apps.project(app={"command": words, "health": "/"}, requirements="nothing.txt")).out
    with served(apps, image, environment={"WEB_CONCURRENCY": "2; id $(id) `id`"}) as running:
        assert requests.get(running.url, timeout=PATIENCE).ok
    assert repr(["5000", "2; id $(id) `id`", "$PORT", "a b; echo `id` 'c'", ""]) in running.log
    assert running.is_prompt


STREAMLIT = """\
import streamlit as st

st.title("Charges")
st.write(st.slider("age", 18, 90) * 2)
"""
GRADIO = """\
import gradio


def charge(age):
    return age * 2


demo = gradio.Interface(fn=charge, inputs="number", outputs="number", api_name="predict")
demo.launch()
"""


@contextmanager
def as_init_finds_it(folder: Path, engine: Engine, files: dict[str, str]) -> Iterator[Served]:
    """An app of which nobody says how it is started, served on its framework's own port."""
    shop = Shop(folder / "own", engine)
    write(shop.folder, files)
    try:
        result = load_project(shop.folder).project.app
        start = {key: getattr(result, key) for key in ("command", "chdir", "health")}
        with served(shop, shop.build(shop.project(app=start)).out) as running:
            yield running
    finally:
        shop.remove()
    assert running.is_prompt
    assert "Traceback" not in running.log


@pytest.mark.exhaustive  # half a gigabyte of packages
def test_streamlit_is_served_as_init_finds_it(tmp_path: Path, engine: Engine) -> None:
    files = {"pages/home.py": STREAMLIT, "requirements.txt": "streamlit==1.67.0\n"}
    with as_init_finds_it(tmp_path, engine, files) as running:
        assert requests.get(f"{running.url}/_stcore/health", timeout=PATIENCE).text == "ok"
        assert "<title>" in requests.get(running.url, timeout=PATIENCE).text


@pytest.mark.exhaustive  # a quarter of a gigabyte of packages
def test_gradio_is_served_as_init_finds_it(tmp_path: Path, engine: Engine) -> None:
    with as_init_finds_it(tmp_path, engine, {"app.py": GRADIO, "requirements.txt": "gradio==6.31.0\n"}) as running:
        call = f"{running.url}/gradio_api/call/predict"
        event = requests.post(call, json={"data": [21]}, timeout=PATIENCE).json()["event_id"]
        assert "data: [42]" in requests.get(f"{call}/{event}", timeout=PATIENCE).text
