"""Each format with a tiny model made here: what its file says of it, and that it predicts what its library predicts."""

# ruff: noqa: PLC0415 - a library is imported in the tests of its format alone

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from mldeploy_model.formats import load_predictor
from tests.model_server.rows import (
    CODE,
    KIND,
    MIXED,
    NUMBERS,
    VALUE,
    facts,
    mixed_pipeline,
    predictions,
    probabilities,
)
from tests.model_server.serving import ROOT, describe


def save_pickle(model: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(model))


def save_skops(model: Any, path: Path) -> None:
    import skops.io

    skops.io.dump(model, path)


def save_compressed(model: Any, path: Path) -> None:
    joblib.dump(model, path, compress=3)


def save_in_dict(model: Any, path: Path) -> None:
    joblib.dump({"model": model, "columns": ["height"]}, path)


SAVERS: dict[str, Callable[[Any, Path], object]] = {
    "model.pkl": save_pickle,
    "model.joblib": joblib.dump,
    "compressed.joblib": save_compressed,
    "model.skops": save_skops,
    "dict.joblib": save_in_dict,
    "noending": joblib.dump,
}


@pytest.mark.parametrize("name", SAVERS)
def test_a_scikit_learn_pipeline_is_read_from_every_kind_of_file(name: str, tmp_path: Path) -> None:
    model = mixed_pipeline(LogisticRegression()).fit(MIXED, KIND)
    SAVERS[name](model, tmp_path / name)
    schema = describe(tmp_path, name)
    assert facts(schema) == {"height": ("number", True), "weight": ("number", True), "color": ("category", False)}
    assert (schema.task, schema.classes, schema.probabilities) == ("classification", ("heavy", "light"), True)
    assert schema.columns[2].categories == ("blue", "green", "red")
    assert predictions(tmp_path, schema, MIXED) == model.predict(MIXED).tolist()
    expected = [dict(zip(("heavy", "light"), row, strict=True)) for row in model.predict_proba(MIXED).tolist()]
    assert probabilities(tmp_path, schema, MIXED) == expected


def estimators() -> dict[str, tuple[Any, pd.DataFrame]]:
    search = GridSearchCV(mixed_pipeline(LinearRegression()), {"linearregression__positive": [False, True]}, cv=2)
    native = make_pipeline(
        ColumnTransformer([("kinds", OrdinalEncoder(), ["color"])], remainder="passthrough"),
        HistGradientBoostingRegressor(max_iter=5),
    )
    named = make_pipeline(StandardScaler().set_output(transform="pandas"), LinearRegression())
    missing = MIXED.assign(height=MIXED.height.where(MIXED.index % 7 > 0))
    return {
        "search": (search.fit(MIXED, VALUE), MIXED),
        "imputed": (mixed_pipeline(LinearRegression()).fit(missing, VALUE), missing),
        "native missing": (native.fit(missing, VALUE), missing),
        "plain": (LinearRegression().fit(NUMBERS, VALUE), NUMBERS),
        "without names": (LinearRegression().fit(NUMBERS.to_numpy(), VALUE), NUMBERS.set_axis(["x0", "x1"], axis=1)),
        "several targets": (LinearRegression().fit(NUMBERS, np.column_stack((VALUE, CODE))), NUMBERS),
        "frame output": (named.fit(NUMBERS, VALUE), NUMBERS),
    }


@pytest.mark.parametrize(
    "kind", ["search", "imputed", "native missing", "plain", "without names", "several targets", "frame output"]
)
def test_a_scikit_learn_estimator_predicts_what_it_predicts_without_a_server(kind: str, tmp_path: Path) -> None:
    model, frame = estimators()[kind]
    joblib.dump(model, tmp_path / "model.joblib")
    schema = describe(tmp_path, "model.joblib")
    assert [column.name for column in schema.columns] == list(frame.columns)
    assert schema.task == "regression"
    given = frame.to_numpy() if kind == "without names" else frame
    assert predictions(tmp_path, schema, frame) == model.predict(given).tolist()


@pytest.mark.parametrize("codes", [("north", "south"), (1.0, 2.0)])
def test_a_row_whose_category_is_missing_is_predicted_as_it_is_among_others(
    codes: tuple[object, object], tmp_path: Path
) -> None:
    table = pd.DataFrame({"size": [1.0, 2.0, 3.0] * 10, "region": [codes[0], codes[1], None] * 10})
    encode = ColumnTransformer([("kinds", OneHotEncoder(), ["region"])], remainder="passthrough")
    joblib.dump(make_pipeline(encode, LinearRegression()).fit(table, table["size"]), tmp_path / "model.joblib")
    table.to_csv(tmp_path / "rows.csv", index=False)
    predictor = load_predictor(describe(tmp_path, "model.joblib", "rows.csv"), tmp_path)
    both = predictor.predict({"size": [1.0, 3.0], "region": [codes[0], None]}, 2)
    assert predictor.predict({"size": [3.0], "region": [None]}, 1) == pytest.approx(both[1:])


def test_a_transformer_of_the_users_own_is_imported_from_beside_the_model(tmp_path: Path) -> None:
    (tmp_path / "own_steps.py").write_text(
        "from sklearn.base import BaseEstimator, TransformerMixin\n"
        "class Ratio(TransformerMixin, BaseEstimator):\n"
        "    def fit(self, X, y=None): return self\n"
        "    def transform(self, X): return X.assign(ratio=X['weight'] / X['height'])\n"
    )
    NUMBERS.assign(value=VALUE).to_csv(tmp_path / "rows.csv", index=False)
    made = (
        "import joblib, pandas as pd, own_steps; from sklearn.pipeline import make_pipeline;"
        "from sklearn.linear_model import LinearRegression; rows = pd.read_csv('rows.csv');"
        "model = make_pipeline(own_steps.Ratio(), LinearRegression()).fit(rows[['height', 'weight']], rows.value);"
        "joblib.dump(model, 'model.joblib')"
    )
    subprocess.run([sys.executable, "-c", made], cwd=tmp_path, check=True)
    schema = describe(tmp_path, "model.joblib", "rows.csv")
    assert [(column.name, column.type) for column in schema.columns] == [("height", "number"), ("weight", "number")]
    assert schema.target == "value"
    assert predictions(tmp_path, schema, NUMBERS[:3]) == pytest.approx(VALUE[:3].tolist(), abs=1)


def test_an_mlflow_folder_with_its_signature_and_example(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    model = mixed_pipeline(LinearRegression()).fit(MIXED, VALUE)
    save_pickle(model, folder / "model.pkl")
    signature = [
        {"type": "double", "name": "height", "required": True},
        {"type": "double", "name": "weight", "required": False},
        {"type": "string", "name": "color", "required": True},
    ]
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n  sklearn:\n    pickled_model: model.pkl\n"
        f"    serialization_format: cloudpickle\nsignature:\n  inputs: '{json.dumps(signature)}'\n"
    )
    (folder / "requirements.txt").write_text("mlflow==3.1\nscikit-learn==1.5.0\n")
    example = MIXED[:2].to_dict(orient="split")
    (folder / "input_example.json").write_text(json.dumps({"columns": example["columns"], "data": example["data"]}))
    schema = describe(tmp_path, "model")
    assert facts(schema) == {"height": ("number", False), "weight": ("number", True), "color": ("category", False)}
    assert schema.format == "mlflow"
    assert dict(schema.sample[0]) == MIXED.iloc[0].to_dict()
    assert predictions(tmp_path, schema, MIXED) == model.predict(MIXED).tolist()


def test_a_model_of_numbers_needs_no_pandas(tmp_path: Path) -> None:
    joblib.dump(RandomForestClassifier(3).fit(NUMBERS, KIND), tmp_path / "model.joblib")
    program = (
        "import sys; from pathlib import Path; from mldeploy_model.formats import load_predictor\n"
        "from mldeploy_model.schema import *\n"
        "schema = ModelSchema('m', 'model.joblib', 'sklearn', columns=(Column('height'), Column('weight')))\n"
        "print(load_predictor(schema, Path(sys.argv[1])).predict({'height': [1.0], 'weight': [90.0]}, 1))\n"
    )
    (tmp_path / "pandas.py").write_text("raise ImportError('not here')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "['heavy']\n"
