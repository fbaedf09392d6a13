"""Models of XGBoost, LightGBM and CatBoost: what is written down of a model, and the server predicts what they do."""
# ruff: noqa: PLC0415 - a library is imported in the tests of its format alone

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from mldeploy_model.schema import Column
from tests.model_server.rows import (
    CODE,
    KIND,
    MIXED,
    NUMBERS,
    VALUE,
    facts,
    predictions,
    probabilities,
)
from tests.model_server.serving import describe


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
