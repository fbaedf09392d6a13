"""The app that `mldeploy init --write-app` writes for a model: readable code, to be changed by its owner."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mldeploy.config.settings import ServedColumn, ServedModel
from mldeploy.project.errors import ProjectError

FRAMEWORKS = {"flask": ("flask==3.1.3",), "fastapi": ("fastapi==0.128.0",)}
"""What each framework adds to the requirements."""
APP_FILE = "app.py"
LOADED = frozenset({"sklearn"})
"""The formats that joblib loads."""

_TYPES = {"number": "float", "integer": "int", "boolean": "bool"}

_HEAD = '''\
"""Serves {path}: GET /health, and POST /predict with a row as JSON or {{"columns": […], "data": [[…], …]}}."""

from pathlib import Path

import joblib
import pandas as pd
{imports}

{app}
model = joblib.load(Path(__file__).with_name({name}))

TYPES = {{
{types}}}
"""The columns of the model's input."""
CATEGORIES = {{
{categories}}}


def read_rows(body):
    """Return the rows of a request as a table. Raises ValueError with the reason."""
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    table = {{"columns", "data"}} <= body.keys()
    rows = pd.DataFrame(body["data"], columns=body["columns"]) if table else pd.DataFrame([body])
    for column, kind in TYPES.items():
        if column not in rows:
            raise ValueError(f"{{column}}: is missing")
        try:
            rows[column] = rows[column].astype(kind)
        except (TypeError, ValueError):
            raise ValueError(f"{{column}}: must be {{kind.__name__}}") from None
        unknown = set(rows[column]) - set(CATEGORIES.get(column, rows[column]))
        if unknown:
            raise ValueError(f"{{column}}: must be one of {{CATEGORIES[column]}}, not {{sorted(unknown)}}")
    return rows[list(TYPES)]


def answer(body):
    predictions = model.predict(read_rows(body)).tolist()
    return {{"predictions": predictions}} if "data" in body else {{"prediction": predictions[0]}}

'''
_FLASK = """
@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict")
def predict():
    try:
        return jsonify(answer(request.get_json()))
    except ValueError as error:
        return {"error": str(error)}, 400
"""
_FASTAPI = """
@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict")
def predict(body: dict):
    try:
        return answer(body)
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
"""
_IMPORTS = {
    "flask": "from flask import Flask, jsonify, request",
    "fastapi": "from fastapi import FastAPI, HTTPException",
}
_APPS = {"flask": "app = Flask(__name__)", "fastapi": 'app = FastAPI(title="Predictions")'}
_ROUTES = {"flask": _FLASK, "fastapi": _FASTAPI}


def render_app(served: ServedModel, framework: str) -> str:
    """Render the source of an app for a described model. Raises ProjectError for a format that it cannot load."""
    if served.format not in LOADED or "/" in served.path:
        what = "gets no app: `--write-app` is for models of scikit-learn at the top of the folder"
        raise ProjectError(served.path, what, "Leave --write-app out: mldeploy has a server for this model.")
    head = _HEAD.format(
        path=served.path,
        name=json.dumps(served.path),
        imports=_IMPORTS[framework],
        app=_APPS[framework],
        types="".join(f"    {_name(each)}: {_TYPES.get(each.type or '', 'str')},\n" for each in served.columns),
        categories="".join(_categories(served)),
    )
    return head + _ROUTES[framework]


def _categories(served: ServedModel) -> Iterator[str]:
    for column in served.columns:
        if column.categories and all(isinstance(each, str) for each in column.categories):
            yield f"    {_name(column)}: {json.dumps(list(column.categories), ensure_ascii=False)},\n"


def _name(column: ServedColumn) -> str:
    return json.dumps(column.name, ensure_ascii=False)
