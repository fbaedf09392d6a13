"""The wrappers of XGBoost, LightGBM and CatBoost, alone and in a pipeline: the bits of the library's own booster."""

import warnings
from typing import Any

import catboost
import lightgbm
import pandas as pd
import pytest
import xgboost
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from mldeploy_model.compiled.serving import prove_model
from mldeploy_model.schema import Column, ModelSchema
from tests.model_compiled.fitting import (
    NUMBERS,
    assert_identical,
    compare,
    example_classes,
    example_frame,
    example_target,
    fit,
    sampled,
)
from tests.model_compiled.test_estimators import preprocessing

QUIET: dict[str, Any] = {"verbose": 0, "allow_writing_files": False, "iterations": 5}
REGRESSORS: list[Any] = [
    xgboost.XGBRegressor(n_estimators=5, n_jobs=1),
    xgboost.XGBRegressor(n_estimators=5, n_jobs=1, booster="dart", missing=2.0),
    xgboost.XGBRFRegressor(n_estimators=5, n_jobs=1),
    lightgbm.LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1),
    lightgbm.LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1, objective="poisson", linear_tree=True),
    catboost.CatBoostRegressor(**QUIET),
    catboost.CatBoostRegressor(**QUIET, loss_function="Poisson"),
]
CLASSIFIERS: list[Any] = [
    xgboost.XGBClassifier(n_estimators=5, n_jobs=1),
    lightgbm.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1),
    catboost.CatBoostClassifier(**QUIET),
]


def labels(estimator: Any, count: int) -> Any:
    """Classes by name; XGBoost takes numbers alone."""
    named = example_classes(example_frame(), count)
    return pd.factorize(named)[0] if isinstance(estimator, xgboost.XGBClassifier) else named


@pytest.mark.parametrize("estimator", REGRESSORS, ids=lambda each: type(each).__name__)
def test_a_boosted_regressor_predicts_the_same_bits(estimator: Any) -> None:
    frame = example_frame(missing=True)[NUMBERS]
    assert_identical(fit(clone(estimator), frame, example_target(example_frame(missing=True))), frame)


@pytest.mark.parametrize(
    ("estimator", "classes"), sampled([(each, count) for each in CLASSIFIERS for count in (2, 3)], 2)
)
def test_a_boosted_classifier_predicts_the_same_classes_and_bits(estimator: Any, classes: int) -> None:
    frame = example_frame()[NUMBERS]
    assert_identical(fit(clone(estimator), frame, labels(estimator, classes)), frame)


@pytest.mark.parametrize(
    ("estimator", "sparse"), sampled([(each, sparse) for each in CLASSIFIERS for sparse in (False, True)], 3)
)
def test_behind_a_pipeline_it_is_the_same(estimator: Any, sparse: bool) -> None:
    frame = example_frame()
    model = fit(make_pipeline(preprocessing(sparse), clone(estimator)), frame, labels(estimator, 3))
    assert_identical(model, frame)


def test_the_rounds_of_early_stopping_count() -> None:
    frame, target = example_frame()[NUMBERS], example_target(example_frame())
    model = xgboost.XGBRegressor(n_estimators=5, n_jobs=10, early_stopping_rounds=1, learning_rate=1.0)
    model.fit(frame[:90], target[:90], eval_set=[(frame[90:], target[90:])], verbose=False)
    assert model.best_iteration < 49
    assert_identical(model, frame)


@pytest.mark.parametrize("end", CLASSIFIERS[:2], ids=lambda each: type(each).__name__)
def test_the_rows_of_the_proof_lie_at_the_thresholds(end: Any) -> None:
    frame = example_frame()[["bmi"]]
    compiled, proof = compare(fit(clone(end), frame, labels(end, 2)), frame, rows=2, single_rows=1)
    (thresholds,) = compiled.plan.thresholds().values()  # type: ignore[attr-defined]  # only trees have some
    assert len(thresholds) > 3
    assert proof.rows > 4 * len(thresholds)


@pytest.mark.parametrize("end", CLASSIFIERS, ids=lambda each: type(each).__name__)
def test_with_pandas_categories_the_models_own_path_serves_and_says_why(end: Any) -> None:
    frame = pd.DataFrame({"region": pd.Categorical(example_frame()["region"]), "bmi": example_frame()["bmi"]})
    model = end.__class__(**{**end.get_params(), **_categorical(end)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(frame, labels(end, 2))
    columns = (Column("region", "category", categories=("ne", "nw", "se", "sw")), Column("bmi"))
    proof = prove_model(model, ModelSchema("m", "m.joblib", "sklearn", columns=columns))
    reasons = [proof.reason, *(reason for _, reason in proof.stock_parts)]
    assert any("categor" in reason for reason in reasons), reasons


def _categorical(end: Any) -> dict[str, object]:
    if isinstance(end, xgboost.XGBClassifier):
        return {"enable_categorical": True}
    return {"cat_features": ["region"]} if isinstance(end, catboost.CatBoostClassifier) else {}
