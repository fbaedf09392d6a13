"""A folder with nothing but a model and a sample, and what the server of such a model must answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import requests
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mldeploy.image.engine import Engine
from tests.names import remove_app

ROW = {"age": 40, "smoker": "no"}
CHARGES = pytest.approx(8000)
INFERENCE = [
    {"name": "age", "shape": [1], "datatype": "INT64", "data": [40]},
    {"name": "smoker", "shape": [1], "datatype": "BYTES", "data": ["no"]},
]


def train(folder: Path) -> None:
    """A pipeline of a table with numbers and words, as a notebook saves it."""
    rng = np.random.default_rng(7)
    rows = pd.DataFrame({"age": rng.integers(18, 65, 60), "smoker": rng.choice(["yes", "no"], 60)})
    rows["charges"] = rows.age * 200.0 + (rows.smoker == "yes") * 10_000
    columns = ColumnTransformer([("number", StandardScaler(), ["age"]), ("word", OneHotEncoder(), ["smoker"])])
    model = make_pipeline(columns, LinearRegression()).fit(rows[["age", "smoker"]], rows.charges)
    joblib.dump(model, folder / "model.joblib")
    rows.to_csv(folder / "rows.csv", index=False)


@contextmanager
def cleaned_engine(name: str) -> Iterator[None]:
    """Remove what the engine has of an app at the end."""
    try:
        yield
    finally:
        engine = Engine.connect()
        remove_app(engine, name)
        engine.client.close()


def assert_answers(url: str, verify: str | bool = True) -> None:
    """The page, /docs, /predict in every form, and the Open Inference Protocol."""

    def post(path: str, **body: Any) -> Any:
        response = requests.post(f"{url}{path}", timeout=300, verify=verify, **body)
        assert response.status_code == 200, response.text
        return response.json()

    page = requests.get(url, timeout=300, verify=verify)
    assert page.status_code == 200
    assert all(word in page.text for word in ("age", "smoker", "charges"))
    for path in ("/docs", "/openapi.json", "/health", "/metrics", "/v2/health/ready", "/v2/models/model"):
        assert requests.get(f"{url}{path}", timeout=300, verify=verify).status_code == 200, path
    assert post("/predict", json=ROW)["prediction"] == CHARGES
    forms: list[Any] = [[ROW, ROW], {"columns": list(ROW), "data": [list(ROW.values())]}]
    forms += [{wrapper: [ROW]} for wrapper in ("dataframe_records", "instances", "inputs")]
    for form in forms:
        assert post("/predict", json=form)["predictions"][-1] == CHARGES
    text = post("/predict", data="age,smoker\n40,no\n", headers={"Content-Type": "text/csv"})
    assert text["predictions"] == [CHARGES]
    inferred = post("/v2/models/model/infer", json={"inputs": INFERENCE})
    assert inferred["outputs"][0]["data"] == [CHARGES]
    refused = requests.post(f"{url}/predict", json={**ROW, "smoker": "maybe"}, timeout=300, verify=verify)
    assert (refused.status_code, "smoker" in refused.text) == (400, True)
