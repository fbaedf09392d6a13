"""The route lister in processes with the real frameworks that the tests' own environment does not have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from mldeploy.check.served_routes import LISTER, ServedRoutes, parse_routes

FASTAPI = """
from fastapi import APIRouter, FastAPI

inner = APIRouter(prefix="/inner")
router = APIRouter(prefix="/own")
below = FastAPI()
app = FastAPI()


@inner.get("/deep")
def deep():
    return 1


@router.post("/predict")
def predict(row: dict):
    return row


@below.get("/ping")
def ping():
    return 1


router.include_router(inner, prefix="/i")
for each in [router]:
    app.include_router(each, prefix="/v1")
app.mount("/below", below)
"""
SANIC = """
from sanic import Blueprint, Sanic

bp = Blueprint("b", url_prefix="/part", version=2)
app = Sanic("shop")


@bp.get("/health")
async def up(request):
    return None


@app.post("/predict")
async def predict(request):
    return None


app.blueprint(bp)
"""
LITESTAR = """
from litestar import Controller, Litestar, get, post


class Model(Controller):
    path = "/model"

    @get("/health")
    async def up(self) -> str:
        return ""

    @post("/predict")
    async def predict(self, data: dict) -> dict:
        return data


app = Litestar([Model])
"""
SHAPES = {
    "fastapi": (FASTAPI, {"/v1/own/i/inner/deep", "/below/ping"}, {"/v1/own/predict"}),
    "fastapi==0.115.0": (FASTAPI, {"/v1/own/i/inner/deep", "/below/ping"}, {"/v1/own/predict"}),
    "sanic": (SANIC, {"/v2/part/health"}, {"/predict"}),
    "litestar": (LITESTAR, {"/model/health"}, {"/model/predict"}),
}


def listed(folder: Path, requirement: str, text: str) -> ServedRoutes:
    (folder / "app.py").write_text(text)
    made = [find_uv_bin(), "venv", "--quiet", "--python", sys.executable, "env"]
    install = [find_uv_bin(), "pip", "install", "--quiet", "--python", "env", requirement]
    for command in (made, install):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    program = ["env/bin/python", "-c", LISTER.read_text(encoding="utf-8"), "app:app"]
    ended = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=True)
    routes = parse_routes(ended.stdout.splitlines())
    assert routes
    return routes


@pytest.mark.exhaustive
@pytest.mark.parametrize("requirement", SHAPES)
def test_the_apps_own_routes_are_all_listed(tmp_path: Path, requirement: str) -> None:
    text, readable, taking = SHAPES[requirement]
    routes = listed(tmp_path, requirement, text)
    assert routes.complete
    assert readable <= {each.path for each in routes.of_method("GET")}
    assert {each.path for each in routes.of_method("POST")} == taking
