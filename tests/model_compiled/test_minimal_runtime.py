"""`runtime = "minimal"`: NumPy alone predicts the same bits as scikit-learn, or the plan is refused with the reason."""

from __future__ import annotations

import os
import pickle
import zlib
from typing import Any

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from mldeploy_model.compiled import Proof
from mldeploy_model.compiled.proof import Effort
from mldeploy_model.compiled.serving import prove_plan
from mldeploy_model.compiled.standalone import MARK, load_plan
from mldeploy_model.schema import ModelSchema
from tests.model_compiled.fitting import (
    COLUMNS,
    NUMBERS,
    TEXTS,
    example_classes,
    example_frame,
    example_target,
    fit,
    rows_of,
    sampled,
)

REGRESSORS: list[Any] = [
    GradientBoostingRegressor(n_estimators=20),
    RandomForestRegressor(10),
    HistGradientBoostingRegressor(max_iter=15),
    LinearRegression(),
    DecisionTreeRegressor(),
    ExtraTreesRegressor(8),
    HistGradientBoostingRegressor(max_iter=15, loss="poisson"),
    PoissonRegressor(),
    MLPRegressor(hidden_layer_sizes=(6,), max_iter=20),
    TransformedTargetRegressor(LinearRegression(), func=np.log1p, inverse_func=np.expm1),
]
CLASSIFIERS: list[Any] = [
    (GradientBoostingClassifier(n_estimators=10), 3),
    (LogisticRegression(max_iter=300), 2),
    (HistGradientBoostingClassifier(max_iter=10), 3),
    (RandomForestClassifier(8), 3),
    (GradientBoostingClassifier(n_estimators=10), 2),
    (GradientBoostingClassifier(n_estimators=10, loss="exponential"), 2),
    (HistGradientBoostingClassifier(max_iter=10), 2),
    (DecisionTreeClassifier(), 2),
    (LogisticRegression(max_iter=300), 3),
    (SGDClassifier(loss="log_loss"), 3),
    (MLPClassifier(hidden_layer_sizes=(6,), max_iter=20), 2),
    (MLPClassifier(hidden_layer_sizes=(6,), max_iter=20, activation="logistic"), 3),
    (VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3))], voting="soft"), 2),
]
SCALERS: list[Any] = [
    MinMaxScaler(clip=True),
    RobustScaler(),
    KBinsDiscretizer(n_bins=3, encode="onehot-dense"),
    PolynomialFeatures(2),
    Normalizer(),
    FunctionTransformer(np.arctan),
]


def table(scaler: Any = None, encoder: Any = None) -> Any:
    numbers = make_pipeline(SimpleImputer(), scaler or StandardScaler())
    words = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        encoder or OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    return make_column_transformer((numbers, NUMBERS), (words, TEXTS), sparse_threshold=0)


def prove(model: Any, classes: int = 0) -> tuple[Proof, bytes]:
    """Fit a model on the example, and prove its plan in a process that has NumPy alone."""
    frame = example_frame(missing=True)
    fitted = fit(model, frame, example_classes(frame, classes) if classes else example_target(frame))
    schema = ModelSchema("m", "model.joblib", "sklearn", columns=COLUMNS, sample=tuple(rows_of(frame)))
    return prove_plan(fitted, schema, effort=Effort(rows=200, single_rows=4))


def assert_same_bits(model: Any, classes: int = 0) -> None:
    proof, plan = prove(model, classes)
    assert (proof.equal, proof.worst_difference) == (True, 0), f"{proof.reason} {proof.worst_row}"
    assert proof.rows > 200
    assert load_plan(plan).inputs.names == [column.name for column in COLUMNS]


@pytest.mark.parametrize("regressor", sampled([(each,) for each in REGRESSORS], 3))
def test_numpy_alone_predicts_what_the_regressor_does(regressor: Any) -> None:
    assert_same_bits(make_pipeline(table(), regressor))


@pytest.mark.parametrize(("classifier", "classes"), sampled(CLASSIFIERS, 6))
def test_numpy_alone_predicts_classes_and_probabilities(classifier: Any, classes: int) -> None:
    assert_same_bits(make_pipeline(table(), classifier), classes)


@pytest.mark.exhaustive
@pytest.mark.parametrize("scaler", SCALERS, ids=lambda each: type(each).__name__)
def test_numpy_alone_transforms_as_scikit_learn_does(scaler: Any) -> None:
    assert_same_bits(make_pipeline(table(scaler), LinearRegression()))


@pytest.mark.exhaustive
def test_trees_without_scikit_learn_take_categories_and_missing_values() -> None:
    columns = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), TEXTS), remainder="passthrough"
    )
    model = HistGradientBoostingRegressor(max_iter=15, min_samples_leaf=5, categorical_features=[0, 1])
    assert_same_bits(make_pipeline(columns, model))


@pytest.mark.parametrize(
    ("model", "classes", "reason"),
    [
        (make_pipeline(table(), PCA(2), LinearRegression()), 0, "PCA: no compiled form"),
        (make_pipeline(table(), GaussianNB()), 2, "it needs scipy"),
        (make_pipeline(table(PowerTransformer()), LinearRegression()), 0, "yeojohnson: it needs scipy"),
    ],
    ids=["stock-part", "own-code", "scipy"],
)
def test_a_plan_that_needs_more_than_numpy_is_refused_with_the_part(model: Any, classes: int, reason: str) -> None:
    proof, plan = prove(model, classes)
    assert (proof.equal, plan) == (False, b"")
    assert reason in proof.reason
    assert proof.summary().startswith("minimal runtime not possible: ")


def test_a_matrix_that_stays_sparse_needs_scipy_which_the_proof_shows() -> None:
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), MaxAbsScaler()), NUMBERS),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), TEXTS),
        sparse_threshold=1.0,
    )
    proof, plan = prove(make_pipeline(columns, LinearRegression()))
    assert (proof.equal, plan) == (False, b"")
    assert "scipy" in proof.reason


@pytest.mark.parametrize("content", [b"", b"model", MARK, MARK + zlib.compress(pickle.dumps({}))])
def test_what_is_no_plan_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="plan"):
        load_plan(content)


def test_a_plan_that_would_run_a_program_is_refused() -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return os.system, ("true",)

    with pytest.raises(ValueError, match=r"posix\.system"):
        load_plan(MARK + zlib.compress(pickle.dumps(Harmful())))
