"""The trained model, the app in this process, the app behind a real server, and a real browser."""

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

APP = Path(__file__).parents[1]
sys.path[:0] = [str(APP), str(APP / "tests")]  # the first as a server does that is started in the app's folder

from served import Server, running  # noqa: E402


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that train.py wrote into."""
    folder = tmp_path_factory.mktemp("trained")
    subprocess.run([sys.executable, APP / "train.py", "--output", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def app(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The WSGI callable, imported as a server imports it: app:app, with model and metrics named by its environment."""
    os.environ["MODEL_PATH"] = str(trained / "model.joblib")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path_factory.mktemp("metrics"))
    flask_app: Flask = importlib.import_module("app").app
    return flask_app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def serve(trained: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server of one's own, with additions to its environment."""
    with ExitStack() as stack:
        yield lambda **environment: stack.enter_context(running(trained / "model.joblib", tmp_path, environment))


@pytest.fixture(scope="session")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that only ask it."""
    with running(trained / "model.joblib", tmp_path_factory.mktemp("server"), {}) as started:
        yield started


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    """Headless Chromium; each test asks for the window that it needs."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        absent = f"the page is tested in a browser, and there is no {' and no '.join(missing)} on this machine"
        if os.environ.get("CI"):
            pytest.fail(absent)
        pytest.skip(absent)
    options = Options()
    options.binary_location = str(programs["chromium"])
    for flag in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking", "no-first-run"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(programs["chromedriver"]))
    try:
        yield driver
    finally:
        driver.quit()
