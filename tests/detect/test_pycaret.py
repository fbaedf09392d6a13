"""The path of docs/pycaret.md: an app of the tutorials' shape with a real PyCaret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mldeploy.project.detect.folder import detect_folder
from mldeploy.project.detect.tables import build_tables
from mldeploy.project.proposal import render_dockerignore
from tests.detect.folders import CORPUS, Case, write
from tests.detect.world import world

APP = """
import pandas as pd
from flask import Flask, jsonify, request
from pycaret.regression import *

app = Flask(__name__)
model = load_model("charges")


@app.route("/")
def home():
    return "insurance"


@app.route("/predict_api", methods=["POST"])
def predict_api():
    unseen = pd.DataFrame([request.get_json(force=True)])
    return jsonify(float(predict_model(model, data=unseen)["prediction_label"].iloc[0]))
"""
TRAIN = """
import numpy as np
import pandas as pd
from pycaret.regression import create_model, finalize_model, save_model, setup

rows = np.random.default_rng(1)
data = pd.DataFrame({"age": rows.integers(18, 65, 120), "smoker": rows.choice(["yes", "no"], 120)})
data["charges"] = 250.0 * data.age + 20000.0 * (data.smoker == "yes")
setup(data, target="charges", session_id=1, html=False, verbose=False, system_log=False)
save_model(finalize_model(create_model("lr", verbose=False)), "/out/charges")
"""
FILES = {
    "app.py": APP,
    "train.py": TRAIN,
    "requirements.txt": "pycaret==3.3.2\nsix\nflask\ngunicorn\n",
    "logs.log": "of a training\n",
}


def test_the_folder_gets_what_pycaret_needs(tmp_path: Path) -> None:
    for name, text in FILES.items():
        write(tmp_path / "insurance" / name, text.encode())
    folder = detect_folder(tmp_path / "insurance")
    tables = build_tables(folder)
    assert tables["app"]["entry"] == "app:app"
    assert tables["build"] == {"system_packages": ["libgomp1"]}  # and the default base image, which has Python 3.11
    assert tables["check"] == {"start_timeout": 180}
    assert "logs.log" in render_dockerignore(folder).splitlines()


@pytest.mark.engine
@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_an_app_with_a_real_pycaret_predicts(tmp_path: Path) -> None:
    case = Case(CORPUS.stem, {"files": FILES, "expect": {}})
    with world(case, tmp_path) as here:
        (here.run.folder / "charges.pkl").write_bytes(b"")  # not yet: the image that trains it is built first
        here.must("init")
        image = here.must("build", "--no-check", "--json").document["image"]
        assert isinstance(image, dict)
        _train(here.run.folder, str(image["reference"]))
        here.must("run-local")
        rows = ({"age": 40, "smoker": "no"}, {"age": 40, "smoker": "yes"})
        without, with_smoke = (json.loads(json.dumps(here.predicted(row))) for row in rows)
        assert without == pytest.approx(10000, rel=0.05)
        assert with_smoke == pytest.approx(30000, rel=0.05)
        here.must("destroy", "--yes")


def _train(folder: Path, image: str) -> None:
    """Train in the app's own image, whose Python and versions are those that load the model."""
    from mldeploy.image.engine import Engine  # noqa: PLC0415 - the other test needs no engine

    out = folder.parent / "trained"
    out.mkdir(mode=0o777)
    out.chmod(0o777)
    engine = Engine.connect()
    client = engine.client
    binds = client.create_host_config(binds=[f"{out}:/out", f"{folder}/train.py:/tmp/train.py:ro"])
    made = client.create_container(image, ["python", "/tmp/train.py"], host_config=binds, working_dir="/tmp")
    try:
        client.start(made["Id"])
        assert client.wait(made["Id"])["StatusCode"] == 0, client.logs(made["Id"]).decode()
        (folder / "charges.pkl").write_bytes((out / "charges.pkl").read_bytes())
    finally:
        client.remove_container(made["Id"], force=True)
        client.close()
