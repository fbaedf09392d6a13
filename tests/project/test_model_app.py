"""The app that `init --write-app` writes: it loads the model and answers, as its owner's own code."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from mldeploy.config.settings import ServedColumn, ServedModel
from mldeploy.project.errors import ProjectError
from mldeploy.project.model_app import render_app

COLUMNS = (ServedColumn("age", "integer"), ServedColumn("smoker", "category", categories=("no", "yes")))
MODEL = ServedModel("model", "model.joblib", task="regression", columns=COLUMNS, format="sklearn")


@pytest.fixture
def client(tmp_path: Path) -> Any:
    """Flask's client of the written app."""
    rows = pd.DataFrame({"age": [20, 40, 60, 30], "smoker": ["no", "yes", "no", "yes"]})
    words = ColumnTransformer([("word", OneHotEncoder(), ["smoker"])], remainder="passthrough")
    charges = rows.age * 10.0 + 500 * (rows.smoker == "yes")
    joblib.dump(make_pipeline(words, LinearRegression()).fit(rows, charges), tmp_path / "model.joblib")
    (tmp_path / "app.py").write_text(render_app(MODEL, "flask"))
    return runpy.run_path(str(tmp_path / "app.py"))["app"].test_client()


def test_it_answers_a_row_and_a_table(client: Any) -> None:
    assert client.get("/health").status_code == 200
    one = client.post("/predict", json={"age": 50, "smoker": "yes"})
    assert one.get_json()["prediction"] == pytest.approx(1000)
    many = client.post("/predict", json={"columns": ["smoker", "age"], "data": [["no", 10], ["yes", 10]]})
    assert many.get_json()["predictions"] == pytest.approx([100, 600])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"age": 50}, "smoker: is missing"),
        ({"age": "x", "smoker": "no"}, "age: must be int"),
        ({"age": 50, "smoker": "maybe"}, "smoker: must be one of"),
        ([1], "the body must be a JSON object"),
    ],
)
def test_a_wrong_row_is_refused_with_the_column(client: Any, row: object, reason: str) -> None:
    refused = client.post("/predict", json=row)
    assert refused.status_code == 400
    assert reason in refused.get_json()["error"]


def test_a_model_of_another_format_gets_no_app() -> None:
    with pytest.raises(ProjectError, match="is for models of scikit-learn"):
        render_app(ServedModel("m", "model.onnx", format="onnx"), "flask")


def test_the_app_for_fastapi_is_valid_source() -> None:
    compile(render_app(MODEL, "fastapi"), "app.py", "exec")
