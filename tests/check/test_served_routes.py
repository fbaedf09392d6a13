"""The routes that an app reports itself, and the settings that they correct."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.check.route_step import forget_routes, recall_latest, recall_routes, remember_routes
from mldeploy.check.served_routes import (
    LISTER,
    ServedRoute,
    ServedRoutes,
    apply_corrections,
    dump_routes,
    find_corrections,
    parse_routes,
)
from mldeploy.config.load import named
from mldeploy.config.settings import Project

APP = """
import functools, os
from flask import Blueprint, Flask, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

bp = Blueprint("in", __name__)


@bp.get("/health")
def alive():
    return "ok"


@bp.route("/predict", methods=["POST"])
def answer():
    return {}


def create_app(conf):
    print("a print of the app")
    app = Flask(__name__)
    app.register_blueprint(bp, url_prefix=os.sep + conf["at"])
    return app


def hidden():
    app = create_app({"at": "api"})
    app.wsgi_app = DispatcherMiddleware(create_app({"at": "other"}), {"/svc": app.wsgi_app})
    return app
"""


def listed(folder: Path, entry: str) -> ServedRoutes:
    """What the lister reports in a process of its own, as in a container."""
    (folder / "shop.py").write_text(APP)
    program = [sys.executable, "-c", LISTER.read_text(encoding="utf-8"), entry]
    ended = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=True)
    routes = parse_routes(ended.stdout.splitlines())
    assert routes
    return routes


def test_routes_of_a_factory_with_a_dictionary(tmp_path: Path) -> None:
    routes = listed(tmp_path, "shop:create_app({'at': 'api'})")
    assert routes.complete
    assert [each.path for each in routes.of_method("GET")] == ["/api/health"]
    assert [each.path for each in routes.of_method("POST")] == ["/api/predict"]


def test_routes_below_a_dispatcher(tmp_path: Path) -> None:
    paths = [each.path for each in listed(tmp_path, "shop:hidden()").of_method("GET")]
    assert sorted(paths) == ["/other/health", "/svc/api/health"]


@pytest.mark.parametrize("entry", ["shop:nothing", "absent:app"])
def test_an_app_that_cannot_be_imported_has_a_problem_and_no_routes(tmp_path: Path, entry: str) -> None:
    routes = listed(tmp_path, entry)
    assert routes.problem
    assert not routes.routes


@pytest.fixture
def project() -> Project:
    return named("shop", "--app")


def corrected(project: Project, claimed: str, *paths: str, complete: bool = True) -> str:
    project = replace(project, app=replace(project.app, health=claimed))
    routes = ServedRoutes(tuple(ServedRoute(path, ("GET",)) for path in paths), complete)
    return apply_corrections(project, find_corrections(project.app, routes, {"health"})).app.health


@pytest.mark.parametrize(
    ("claimed", "paths", "health"),
    [
        ("/health", ("/", "/health"), "/health"),
        ("/api/health", ("/", "/health"), "/health"),
        ("/health", ("/items", "/svc/health", "/alive"), "/svc/health"),
        ("/health", ("/items", "/"), "/"),
        ("/health", ("/items",), "/health"),
        ("/health", ("/health/<id>", "/livez"), "/livez"),
    ],
)
def test_health_is_what_the_app_has(project: Project, claimed: str, paths: tuple[str, ...], health: str) -> None:
    assert corrected(project, claimed, *paths) == health


def test_of_an_incomplete_list_only_a_hidden_prefix_counts(project: Project) -> None:
    assert corrected(project, "/health", "/svc/health", complete=False) == "/svc/health"
    assert corrected(project, "/health", "/", complete=False) == "/health"


def test_the_image_keeps_its_health_path_and_its_container_gets_the_right_one(project: Project) -> None:
    routes = ServedRoutes((ServedRoute("/ready", ("GET",)),), complete=True)
    (correction,) = find_corrections(project.app, routes, {"health", "predict"})
    assert str(correction) == f"health is /ready (the app's own routes; the source suggested {project.app.health})"
    app = apply_corrections(project, [correction]).app
    assert (app.health, app.image_health) == ("/ready", project.app.health)
    assert dict(app.env)["HEALTH"].reveal() == "/ready"


def test_a_configured_value_stays_and_is_contradicted(project: Project) -> None:
    routes = ServedRoutes((ServedRoute("/v1/predict", ("POST",)),), complete=True)
    (correction,) = find_corrections(project.app, routes, {"health"})
    what = f"predict is configured as {project.app.predict}, but the app's own routes have /v1/predict"
    assert str(correction) == what
    assert apply_corrections(project, [correction]) == project


def test_routes_are_kept_with_the_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, project: Project) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    routes = ServedRoutes((ServedRoute("/ready", ("GET", "POST"), ("application/json",)),), complete=True)
    assert parse_routes([dump_routes(routes)]) == routes
    app = replace(project, app=replace(project.app, name="shop", entry="app:app"))
    remember_routes("shop", "sha256:1 app:app", routes)
    assert recall_routes("shop", "sha256:1 app:app") == routes
    assert recall_routes("shop", "sha256:2 app:app") is None
    assert recall_latest(app) == routes
    assert forget_routes("shop")
    assert recall_latest(app) is None
