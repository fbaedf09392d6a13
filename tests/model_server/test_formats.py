"""Each format with a tiny model made here: what its file says of it, and that it predicts what its library predicts."""

# ruff: noqa: PLC0415 - a library is imported in the tests of its format alone

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from mldeploy_model.formats import load_predictor
from mldeploy_model.schema import Column, ModelSchema
from tests.model_server.serving import ROOT, describe

RANDOM = np.random.default_rng(2)
NUMBERS = pd.DataFrame({"height": RANDOM.normal(170, 10, 60).round(1), "weight": RANDOM.normal(70, 10, 60).round(1)})
MIXED = NUMBERS.assign(color=RANDOM.choice(["blue", "green", "red"], 60))
VALUE = (2 * NUMBERS.height - NUMBERS.weight).rename("value")
KIND = pd.Series(np.where(NUMBERS.weight > 70, "heavy", "light"), name="kind")
CODE = (NUMBERS.weight > 70).astype(int)


def columns_of(frame: pd.DataFrame) -> Mapping[str, Sequence[object]]:
    return {str(name): frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame}


def predictions(folder: Path, schema: ModelSchema, frame: pd.DataFrame) -> list[Any]:
    return list(load_predictor(schema, folder).predict(columns_of(frame), len(frame)))


def probabilities(folder: Path, schema: ModelSchema, frame: pd.DataFrame) -> list[Mapping[str, float]]:
    shares = load_predictor(schema, folder).probabilities(columns_of(frame), len(frame))
    assert shares is not None
    return list(shares)


def facts(schema: ModelSchema) -> dict[str, tuple[str, bool]]:
    return {column.name: (column.type, column.optional) for column in schema.columns}


def mixed_pipeline(final: Any) -> Any:
    numeric = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(
        ColumnTransformer([("numbers", numeric, ["height", "weight"]), ("kinds", OneHotEncoder(), ["color"])]), final
    )


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


@pytest.mark.parametrize("suffix", ["json", "ubj"])
@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "multi:softprob"])
def test_an_xgboost_booster(objective: str, suffix: str, tmp_path: Path) -> None:
    import xgboost

    label = VALUE if objective.startswith("reg") else CODE
    data = xgboost.DMatrix(NUMBERS, label)
    settings = {"objective": objective, **({"num_class": 2} if objective.startswith("multi") else {})}
    booster = xgboost.train({**settings, "nthread": 1}, data, 5)
    booster.save_model(tmp_path / f"model.{suffix}")
    schema = describe(tmp_path, f"model.{suffix}")
    assert facts(schema) == {"height": ("number", True), "weight": ("number", True)}
    scores = booster.predict(data)
    if objective.startswith("reg"):
        assert predictions(tmp_path, schema, NUMBERS) == scores.tolist()
        return
    shares = scores[:, 1] if scores.ndim == 2 else scores
    assert predictions(tmp_path, schema, NUMBERS) == (shares > 0.5).astype(int).tolist()
    assert [row["1"] for row in probabilities(tmp_path, schema, NUMBERS)] == pytest.approx(shares.tolist())


def test_the_boosters_scikit_learn_wrappers_take_their_columns(tmp_path: Path) -> None:
    import lightgbm
    import xgboost

    wrappers: list[Any] = [
        xgboost.XGBClassifier(n_estimators=5, n_jobs=1),
        lightgbm.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1),
    ]
    for number, wrapper in enumerate(wrappers):
        model = wrapper.fit(NUMBERS, CODE)
        joblib.dump(model, tmp_path / f"{number}.joblib")
        schema = describe(tmp_path, f"{number}.joblib")
        assert facts(schema) == {"height": ("number", True), "weight": ("number", True)}
        assert schema.classes == (0, 1)
        assert predictions(tmp_path, schema, NUMBERS) == model.predict(NUMBERS).tolist()
        shares = [list(row.values()) for row in probabilities(tmp_path, schema, NUMBERS)]
        assert shares == model.predict_proba(NUMBERS).tolist()


@pytest.mark.parametrize("objective", ["regression", "binary", "multiclass"])
def test_a_lightgbm_booster_with_categories(objective: str, tmp_path: Path) -> None:
    import lightgbm

    frame = MIXED.assign(color=MIXED.color.astype("category"))
    settings = {"objective": objective, "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "min_data_per_group": 1}
    settings |= {"num_class": 3} if objective == "multiclass" else {}
    label = (
        VALUE
        if objective == "regression"
        else CODE
        if objective == "binary"
        else MIXED.color.map(["blue", "green", "red"].index)
    )
    booster = lightgbm.train(settings, lightgbm.Dataset(frame, label), 5)
    booster.save_model(tmp_path / "model.txt")
    schema = describe(tmp_path, "model.txt")
    assert schema.columns[2] == Column("color", "category", categories=("blue", "green", "red"), optional=True)
    scores = np.asarray(booster.predict(frame))
    if objective == "regression":
        assert predictions(tmp_path, schema, MIXED) == scores.tolist()
        return
    shares = np.column_stack((1 - scores, scores)) if objective == "binary" else scores
    assert predictions(tmp_path, schema, MIXED) == shares.argmax(axis=1).tolist()
    assert [list(row.values()) for row in probabilities(tmp_path, schema, MIXED)] == shares.tolist()


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_catboost_model_with_categories(task: str, tmp_path: Path) -> None:
    import catboost

    settings = {
        "iterations": 5,
        "verbose": False,
        "allow_writing_files": False,
        "thread_count": 1,
        "cat_features": ["color"],
    }
    made = catboost.CatBoostClassifier if task == "classification" else catboost.CatBoostRegressor
    model = made(**settings).fit(MIXED, KIND if task == "classification" else VALUE)
    model.save_model(str(tmp_path / "model.cbm"))
    schema = describe(tmp_path, "model.cbm")
    assert facts(schema) == {"height": ("number", True), "weight": ("number", True), "color": ("category", False)}
    assert schema.task == task
    assert predictions(tmp_path, schema, MIXED) == model.predict(MIXED).tolist()
    if task == "classification":
        shares = [list(row.values()) for row in probabilities(tmp_path, schema, MIXED)]
        assert shares == model.predict_proba(MIXED).tolist()


def save_onnx(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any]) -> None:
    import onnx
    from onnx import helper

    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))


@pytest.mark.parametrize("batch", ["rows", 1])
@pytest.mark.parametrize("width", [2, "columns"])
def test_an_onnx_network_with_one_matrix_of_columns(batch: str | int, width: str | int, tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.array([[2.0], [-1.0]], dtype=np.float32), "w")
    save_onnx(
        tmp_path / "model.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 1])],
        [weights],
    )
    NUMBERS.assign(value=VALUE).to_csv(tmp_path / "rows.csv", index=False)
    schema = (
        describe(tmp_path, "model.onnx", "rows.csv", task="regression")
        if width == 2
        else ModelSchema("model", "model.onnx", "onnx", columns=(Column("height"), Column("weight")))
    )
    assert [column.name for column in schema.columns] == ["height", "weight"]
    assert predictions(tmp_path, schema, NUMBERS) == pytest.approx(VALUE.tolist(), rel=1e-5)


def test_an_onnx_classifier_with_an_input_for_each_column(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    names = ["height", "weight"]
    classifier = helper.make_node(
        "LinearClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        classlabels_strings=["light", "heavy"],
        coefficients=[0.0, -1.0, 0.0, 1.0],
        intercepts=[70.0, -70.0],
        post_transform="SOFTMAX",
        multi_class=1,
    )
    zipped = helper.make_node(
        "ZipMap", ["scores"], ["shares"], domain="ai.onnx.ml", classlabels_strings=["light", "heavy"]
    )
    shares = helper.make_value_info(
        "shares",
        helper.make_sequence_type_proto(
            helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        ),
    )
    save_onnx(
        tmp_path / "model.onnx",
        [helper.make_node("Concat", names, ["x"], axis=1), classifier, zipped],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in names],
        [helper.make_tensor_value_info("label", TensorProto.STRING, [None]), shares],
        [],
    )
    schema = describe(tmp_path, "model.onnx")
    assert (schema.classes, [column.name for column in schema.columns]) == (("heavy", "light"), names)
    assert predictions(tmp_path, schema, NUMBERS) == KIND.tolist()
    assert {max(row, key=row.__getitem__) for row in probabilities(tmp_path, schema, NUMBERS[KIND == "heavy"])} == {
        "heavy"
    }


@pytest.mark.exhaustive
def test_a_keras_model_on_a_cpu(tmp_path: Path) -> None:
    program = (
        "import keras, numpy as np\n"
        "model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation='softmax')])\n"
        "model.save('model.keras')\n"
        "print(np.asarray(model(np.array([[170.0, 70.0]], 'float32'))).tolist())\n"
    )
    environment = {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    made = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    (shares,) = json.loads(made.stdout.splitlines()[-1])
    (tmp_path / "rows.csv").write_text("height,weight\n170.0,70.0\n")
    described = subprocess.run(
        [sys.executable, "-m", "mldeploy_model.describe", "model.keras", "--sample", "rows.csv"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(described.stdout)
    assert [column["name"] for column in document["columns"]] == ["height", "weight"]
    assert (document["task"], document["classes"]) == ("classification", [0, 1, 2])
    predict = (
        "from pathlib import Path; from mldeploy_model.formats import load_predictor\n"
        "from mldeploy_model.schema import *\n"
        "columns = Column('height'), Column('weight')\n"
        "schema = ModelSchema('m', 'model.keras', 'keras', columns=columns, classes=(0, 1, 2))\n"
        "model = load_predictor(schema, Path('.')); row = {'height': [170.0], 'weight': [70.0]}\n"
        "print([model.predict(row, 1), model.probabilities(row, 1)[0]['1']])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", predict], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([[int(np.argmax(shares))], shares[1]])


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
