"""The proof shows every kind of difference, and says which row it is."""

import json
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from mldeploy_model import load
from mldeploy_model.compiled import CompiledModel, NotCompilableError, Proof, compile_model, prove
from mldeploy_model.compiled.borders import border_rows
from mldeploy_model.compiled.domains import input_domains
from mldeploy_model.compiled.proof import Effort
from mldeploy_model.compiled.serving import prove_model
from mldeploy_model.formats import load_predictor
from mldeploy_model.predictor import PredictionInputError
from mldeploy_model.schema import Column, ModelSchema, write_models
from tests.model_compiled.fitting import (
    COLUMNS,
    NUMBERS,
    TEXTS,
    assert_identical,
    compare,
    example_classes,
    example_frame,
    example_target,
    fit,
    rows_of,
)

LITTLE = Effort(rows=60, single_rows=4)


def fitted_pipeline(end: Any = None, missing: bool = False, unknown: str = "error") -> Any:
    """One-hot encoding, scaling and boosting."""
    frame = example_frame(missing=missing)
    numbers = make_pipeline(SimpleImputer(), StandardScaler()) if missing else StandardScaler()
    columns = make_column_transformer((OneHotEncoder(handle_unknown=unknown), TEXTS), (numbers, NUMBERS))
    end = end or GradientBoostingRegressor(n_estimators=20, random_state=0)
    return fit(make_pipeline(columns, end), frame, example_target(frame))


def proof_against(fitted: Any, changed: Any) -> Proof:
    """The plan of one model, compared with another one."""
    frame = example_frame()
    schema = ModelSchema("m", "m.joblib", "sklearn", columns=COLUMNS)
    return prove(compile_model(changed, COLUMNS), fitted, schema, rows_of(frame), effort=LITTLE)


def test_one_threshold_that_is_one_bit_off_is_not_equal() -> None:
    right, wrong = fitted_pipeline(), fitted_pipeline()
    tree = wrong[-1].estimators_[0, 0].tree_
    node = int(np.argmax(tree.threshold * (tree.feature >= 0) > -2))
    tree.threshold[node] = np.nextafter(np.float32(tree.threshold[node]), np.float32(np.inf), dtype=np.float32)
    proof = proof_against(right, wrong)
    assert not proof.equal
    assert proof.worst_row is not None
    assert set(proof.worst_row) == {column.name for column in COLUMNS}
    assert "differs" in proof.reason
    assert "the model's own path serves" in proof.summary()


def test_one_bit_of_one_coefficient_is_not_equal_and_a_tolerance_allows_it() -> None:
    right, wrong = fitted_pipeline(LinearRegression()), fitted_pipeline(LinearRegression())
    wrong[-1].coef_[-1] = np.nextafter(wrong[-1].coef_[-1], np.inf)
    proof = proof_against(right, wrong)
    assert not proof.equal
    assert 0 < proof.worst_difference < 1e-12
    schema = ModelSchema("m", "m.joblib", "sklearn", columns=COLUMNS)
    allowed = prove(compile_model(wrong, COLUMNS), right, schema, [], tolerance=1e-9, effort=LITTLE)
    assert allowed.equal
    assert "differing by at most" in allowed.summary()


def test_a_refusal_of_one_path_alone_is_not_equal() -> None:
    proof = proof_against(fitted_pipeline(), fitted_pipeline(unknown="ignore"))
    assert not proof.equal
    assert "the model's own path alone refuses the row" in proof.reason
    assert "unknown categories" in proof.reason


def test_rows_at_thresholds_lie_on_both_sides_of_them() -> None:
    fitted = fitted_pipeline()
    compiled, base = compile_model(fitted, COLUMNS), rows_of(example_frame())
    domains = input_domains(compiled, COLUMNS, base)
    rows = border_rows(compiled, domains, base, np.random.default_rng(0))
    values = sorted({float(str(row["bmi"])) for row in rows})
    neighbours = [low for low, high in pairwise(values) if math.nextafter(low, math.inf) == high]
    assert len(rows) > 50
    assert len(neighbours) > 20


def test_an_integer_column_that_is_float_somewhere_and_missing_values_are_equal() -> None:
    assert_identical(fitted_pipeline(missing=True, unknown="ignore"), example_frame(missing=True), single_rows=40)


def test_a_model_that_refuses_every_row_is_not_equal() -> None:
    frame = example_frame()
    model = fit(make_pipeline(OneHotEncoder(), LinearRegression()), frame[TEXTS], example_target(frame))
    columns = (Column("sex", "text"), Column("region", "text"))
    sample = [{"sex": "f", "region": "north"}]
    compiled = compile_model(model, columns)
    proof = prove(compiled, model, ModelSchema("m", "m", "sklearn", columns=columns), sample, effort=LITTLE)
    assert not proof.equal


def test_rounding_to_float32_before_the_scaler_is_shown() -> None:
    """What a conversion to a format of float32 does."""
    frame = example_frame()[NUMBERS]
    boosting = GradientBoostingRegressor(n_estimators=20, random_state=0)
    fitted = fit(make_pipeline(StandardScaler(), boosting), frame, example_target(example_frame()))
    rounded = make_pipeline(FunctionTransformer(np.float32), *[step for _, step in fitted.steps])
    columns = [column for column in COLUMNS if column.name in NUMBERS]
    schema = ModelSchema("m", "m.joblib", "sklearn", columns=tuple(columns))
    fit(rounded.steps[0][1], frame, None)
    assert not prove(compile_model(rounded, columns), fitted, schema, rows_of(frame)).equal


class Doubled(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer of the user's own, which takes a column by its name."""

    def fit(self, frame: Any, target: Any = None) -> "Doubled":
        self.fitted_ = True
        return self

    def transform(self, frame: Any) -> Any:
        return frame.assign(bmi=frame["bmi"] * 2)


def test_a_transformer_of_ones_own_is_called_with_a_dataframe_inside_the_plan() -> None:
    frame = example_frame()[NUMBERS]
    model = fit(make_pipeline(Doubled(), StandardScaler(), LinearRegression()), frame, example_target(example_frame()))
    assert_identical(model, frame, stock=["Doubled"])


def test_a_model_of_ones_own_is_not_compiled_and_the_reason_is_named() -> None:
    class Constant(BaseEstimator):  # type: ignore[misc]
        def predict(self, frame: Any) -> Any:
            return np.zeros(len(frame))

    with pytest.raises(NotCompilableError, match="Constant: no compiled form"):
        compile_model(Constant(), COLUMNS)
    proof = prove_model(Constant(), ModelSchema("m", "m.joblib", "sklearn", columns=COLUMNS))
    assert not proof.equal
    assert "Constant" in proof.summary()


def test_predictions_are_values_that_json_holds_and_a_refused_row_is_named() -> None:
    frame = example_frame()
    columns = make_column_transformer((OneHotEncoder(), TEXTS), (StandardScaler(), NUMBERS))
    model = fit(make_pipeline(columns, LogisticRegression()), frame, example_classes(frame, 3))
    compiled, proof = compare(model, frame, rows=60, single_rows=2)
    row: dict[str, list[object]] = {name: [value] for name, value in rows_of(frame, 1)[0].items()}
    assert proof.equal
    assert json.loads(json.dumps(compiled.predict(row, 1))) == model.predict(frame.head(1)).tolist()
    shares = compiled.probabilities(row, 1)
    assert shares is not None
    assert list(shares[0].values()) == model.predict_proba(frame.head(1))[0].tolist()
    with pytest.raises(PredictionInputError, match="north"):
        compiled.predict({**row, "region": ["north"]}, 1)
    with pytest.raises(PredictionInputError, match="'bmi' is missing"):
        compiled.predict({name: values for name, values in row.items() if name != "bmi"}, 1)
    assert compiled.predict({name: [] for name in row}, 0) == []


def saved(folder: Path) -> tuple[Any, Path]:
    """A model's file and a sample beside it."""
    model = fitted_pipeline()
    joblib.dump(model, folder / "model.joblib")
    example_frame().head(12).to_csv(folder / "rows.csv", index=False)
    return model, folder / "model.joblib"


def run_prove(folder: Path, *arguments: str) -> tuple[int, Any]:
    command = [sys.executable, "-m", "mldeploy_model.prove", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={"PYTHONPATH": ROOT})
    return done.returncode, json.loads(done.stdout)


ROOT = str(Path(__file__).parents[2])


def test_a_loaded_model_predicts_rows_as_the_model_predicts_a_dataframe(tmp_path: Path) -> None:
    model, file = saved(tmp_path)
    loaded = load(file, tmp_path / "rows.csv")
    frame = example_frame(3, 20)
    assert loaded.proof is not None
    assert loaded.proof.equal
    assert loaded.predict_rows(frame.to_dict("records")) == model.predict(frame).tolist()
    assert loaded.predict(frame).tolist() == model.predict(frame).tolist()
    assert loaded.predict_columns({name: frame[name].tolist() for name in frame}) == model.predict(frame).tolist()


def test_the_command_prints_what_does_not_load(tmp_path: Path) -> None:
    status, failed = run_prove(tmp_path, "other.joblib")
    assert status == 1
    assert "other.joblib does not exist" in failed["error"]["what"]


@pytest.mark.exhaustive
def test_the_command_prints_the_proof_of_one_model(tmp_path: Path) -> None:
    saved(tmp_path)
    status, proof = run_prove(tmp_path, "model.joblib", "--sample", "rows.csv", "--rows", "50")
    assert status == 0
    assert proof["equal"]
    assert proof["worst_difference"] == 0
    assert proof["versions"]["scikit-learn"]
    assert "bit-identical" in proof["summary"]


def test_the_server_takes_the_compiled_path_only_with_a_proof(tmp_path: Path) -> None:
    saved(tmp_path)
    schema = ModelSchema("m", "model.joblib", "sklearn", "regression", COLUMNS)
    assert not isinstance(load_predictor(schema, tmp_path), CompiledModel)
    (tmp_path / "models.json").write_text(write_models([schema]))
    status, proofs = run_prove(tmp_path, "--models", "models.json", "--rows", "50", "--write")
    assert status == 0
    assert proofs["m"]["equal"]
    assert proofs["m"]["worst_difference"] == 0
    assert "bit-identical" in proofs["m"]["summary"]
    assert isinstance(load_predictor(schema, tmp_path), CompiledModel)
    file = tmp_path / ".mldeploy" / "proofs.json"
    file.write_text(file.read_text().replace('"numpy": "', '"numpy": "0.'))
    assert not isinstance(load_predictor(schema, tmp_path), CompiledModel)


def test_a_column_without_a_description_takes_its_type_from_the_values() -> None:
    frame = example_frame()[NUMBERS]
    model = fit(make_pipeline(StandardScaler(), LinearRegression()), frame, example_target(example_frame()))
    proof = prove(compile_model(model), model, ModelSchema("m", "m", "sklearn"), rows_of(frame), effort=LITTLE)
    assert proof.equal
