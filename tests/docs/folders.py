"""The folders that the pages of the documentation suppose: what a reader has before the first line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.bare_model import train
from tests.docs.pages import FENCE, ROOT

_SERVER = """\
import http.server, json, signal, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(b"{}")
    def do_POST(self):
        row = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(json.dumps({"prediction": float(row["age"])}).encode())
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("serving", flush=True)
server.serve_forever(0.05)
"""
_DOCKERFILE = """\
FROM mldeploy/python:3.11-slim
USER 10001
COPY app.py /app.py
CMD ["python3", "/app.py"]
"""
_CONFIGURATION = """\
[app]
name = "insurance"
port = 8080
health = "/health"
predict = "/predict"
memory = "256m"
models = []

[build]
dockerfile = "Dockerfile"

[check]
golden = "golden.json"

[env.staging]

[env.production]
protected = true
"""
_GOLDEN = {"path": "/predict", "request": {"age": 42, "smoker": "no"}, "expect": {"prediction": 42}}
_FLASK = """\
from flask import Flask, request

app = Flask(__name__)


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict_api")
def predict():
    return {"prediction": 9235.01 if request.get_json()["smoker"] == "no" else 30000.0}
"""
_NOTEBOOK = ["import joblib\n", "import pandas as pd\n", "X = pd.read_csv('rows.csv')\n"]


def app(folder: Path) -> None:
    """An app with its Dockerfile, a golden row, two environments and some files for requests, in a git repository."""
    files = {"app.py": _SERVER, "Dockerfile": _DOCKERFILE, "mldeploy.toml": _CONFIGURATION, "requirements.txt": ""}
    requests = {"golden.json": json.dumps(_GOLDEN), "request.json": json.dumps(_GOLDEN["request"])}
    rows = "age,smoker\n" + "".join(f"{age},no\n" for age in range(20, 60))
    _write(folder, {**files, **requests, "rows.csv": rows, "key.txt": "a value\n"})
    git = ("git", "-c", "user.name=ada", "-c", "user.email=ada@example.com")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "first")):
        subprocess.run((*git, *words), cwd=folder, check=True)


def flask(folder: Path) -> None:
    """`my-app`: source and requirements alone."""
    (folder / "my-app").mkdir()
    rows = "age,smoker\n42,no\n"
    _write(folder / "my-app", {"app.py": _FLASK, "requirements.txt": "flask\n", "rows.csv": rows})


def flask_app(folder: Path) -> None:
    """The same source as the folder itself, with access by key."""
    configuration = '[app]\nname = "insurance"\naccess = "key"\nmodels = []\n'
    _write(folder, {"app.py": _FLASK, "requirements.txt": "flask\n", "mldeploy.toml": configuration})


def anything(folder: Path) -> None:
    """An app, a model with its sample, and a folder with another app. No configuration."""
    _write(folder, {"app.py": _FLASK, "requirements.txt": "flask\n"})
    train(folder)
    (folder / "example_app").mkdir()
    _write(folder / "example_app", {"app.py": _FLASK, "requirements.txt": "flask\n"})


def trained(folder: Path) -> None:
    """`my-model`: a model and a sample."""
    (folder / "my-model").mkdir()
    train(folder / "my-model")


def model(folder: Path) -> None:
    """A model, a sample and a notebook that made them."""
    train(folder)
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": 1}
    cell["source"] = [*_NOTEBOOK, "joblib.dump(pipeline, 'model.joblib')\n"]
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    _write(folder, {"train.ipynb": json.dumps(notebook)})


def fastapi(folder: Path) -> None:
    """The app of the page itself, with a model, `pyproject.toml` and a lock that uv writes."""
    page = (ROOT / "docs" / "start-fastapi.md").read_text(encoding="utf-8")
    (source,) = (match["block"] for match in FENCE.finditer(page) if match["language"] == "python")
    packages = '["fastapi", "joblib", "scikit-learn"]'
    project = f'[project]\nname = "insurance"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = {packages}\n'
    _write(folder, {"app.py": source, "pyproject.toml": project})
    train_numbers = (
        "import joblib; from sklearn.linear_model import LinearRegression; "
        "joblib.dump(LinearRegression().fit([[20, 20.0], [40, 30.0]], [1.0, 2.0]), 'model.joblib')"
    )
    subprocess.run((sys.executable, "-c", train_numbers), cwd=folder, check=True)
    subprocess.run((str(Path(sys.executable).with_name("uv")), "lock", "-q"), cwd=folder, check=True)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
