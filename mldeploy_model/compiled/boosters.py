"""XGBoost, LightGBM and CatBoost behind their scikit-learn wrappers: an array goes to the library's own booster.

One thread computes a request, since requests are answered side by side: to wake several costs more than a row does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mldeploy_model.compiled.blocks import Array, ColumnBlock, SparseBlock, as_floats
from mldeploy_model.compiled.operations import CompiledEstimator, NotCompilableError, dense
from mldeploy_model.compiled.trees import merge_thresholds

_CATEGORIES = "it takes columns of pandas' dtype category"


class XgboostEnd:
    """XGBRegressor, XGBClassifier and their kin, but for linear boosters."""

    compares = np.float32

    def __init__(self, fitted: Any) -> None:
        name = type(fitted).__name__
        if fitted.booster == "gblinear" or callable(fitted.objective) or fitted.objective == "multi:softmax":
            raise NotCompilableError(name, f"no compiled form for {fitted.booster or 'its'} {fitted.objective}")
        if hasattr(fitted, "_le"):
            raise NotCompilableError(name, "this version of xgboost encodes the classes itself")
        self.booster = fitted.get_booster().copy()  # the number of threads of the model itself stays as it is
        if "c" in (self.booster.feature_types or ()):
            raise NotCompilableError(name, _CATEGORIES)
        self.booster.set_param({"nthread": 1})
        self.rounds, self.missing = fitted._get_iteration_range(None), fitted.missing
        self.classes = getattr(fitted, "classes_", None)
        self.has_probabilities = hasattr(fitted, "predict_proba")

    def predict(self, block: Any) -> Array:
        scores = self._scores(block)
        if self.classes is None:
            return scores
        if scores.ndim > 1 and len(self.classes) != 2:
            return np.asarray(np.argmax(scores, axis=1))
        if scores.ndim > 1 and scores.shape[1] != 1:  # several targets
            return (scores > 0.5).astype(np.float64)
        return (scores > 0.5).astype(np.int64)

    def probabilities(self, block: Any) -> Any:
        scores = self._scores(block)
        return scores if scores.ndim > 1 else np.vstack((1.0 - scores, scores)).transpose()

    def parts(self) -> Sequence[object]:
        return ()

    def thresholds(self) -> dict[int, Array]:
        """For each feature the values that trees compare it with."""
        booster = json.loads(bytes(self.booster.save_raw("json")))["learner"]["gradient_booster"]
        trees = booster.get("model", booster.get("gbtree", {}).get("model", {})).get("trees", ())
        return merge_thresholds(map(_xgboost_splits, trees))

    def _scores(self, block: Any) -> Array:
        if isinstance(block, SparseBlock):
            block = block.matrix()  # what a sparse matrix does not hold is missing, not 0
        values = block if hasattr(block, "tocsr") else as_floats(block)
        return np.asarray(
            self.booster.inplace_predict(
                values, iteration_range=self.rounds, missing=self.missing, validate_features=False
            )
        )


class LightgbmEnd:
    """LGBMRegressor, LGBMClassifier and LGBMRanker."""

    compares = np.float64

    def __init__(self, fitted: Any) -> None:
        name = type(fitted).__name__
        self.booster = fitted.booster_
        if callable(fitted.objective_):
            raise NotCompilableError(name, "its objective is a function")
        if self.booster.pandas_categorical:
            raise NotCompilableError(name, _CATEGORIES)
        if own := [key for key in fitted.get_params() if key.startswith(("pred", "is_pred"))]:
            raise NotCompilableError(name, f"no compiled form for its parameter {own[0]}")
        self.classes = getattr(fitted, "classes_", None)
        self.has_probabilities = hasattr(fitted, "predict_proba")

    def predict(self, block: Any) -> Array:
        if self.classes is None:
            return self._scores(block)
        return np.asarray(self.classes[np.argmax(self.probabilities(block), axis=1)])

    def probabilities(self, block: Any) -> Any:
        scores = self._scores(block)
        return scores if scores.ndim > 1 else np.vstack((1.0 - scores, scores)).transpose()

    def parts(self) -> Sequence[object]:
        return ()

    def thresholds(self) -> dict[int, Array]:
        """For each feature the values that trees compare it with."""
        return merge_thresholds(_lightgbm_splits(self.booster.model_to_string()))

    def _scores(self, block: Any) -> Array:
        return np.asarray(self.booster.predict(_floats(block), num_threads=1, validate_features=False))


class CatboostEnd:
    """CatBoostRegressor and CatBoostClassifier on numbers; their predict is the library's own."""

    compares = np.float32

    def __init__(self, fitted: Any) -> None:
        if fitted.get_cat_feature_indices() or fitted.get_text_feature_indices():
            raise NotCompilableError(type(fitted).__name__, "it takes columns of categories or texts")
        self.fitted = fitted
        self.has_probabilities = hasattr(fitted, "predict_proba")
        self.classes = fitted.classes_ if self.has_probabilities else None

    def predict(self, block: Any) -> Array:
        return np.asarray(self.fitted.predict(_float32(block), thread_count=1))

    def probabilities(self, block: Any) -> Any:
        return self.fitted.predict_proba(_float32(block), thread_count=1)

    def parts(self) -> Sequence[object]:
        return ()

    def thresholds(self) -> dict[int, Array]:
        """For each feature the values that trees compare it with."""
        return {int(feature): np.asarray(borders) for feature, borders in self.fitted.get_borders().items()}


BOOSTERS: Mapping[tuple[str, str], Callable[[Any], CompiledEstimator]] = {
    **{("xgboost", f"XGB{name}"): XgboostEnd for name in ("Classifier", "Regressor", "RFClassifier", "RFRegressor")},
    **{("lightgbm", f"LGBM{name}"): LightgbmEnd for name in ("Classifier", "Regressor", "Ranker")},
    **{("catboost", f"CatBoost{name}"): CatboostEnd for name in ("Classifier", "Regressor")},
}


def compile_booster(fitted: Any) -> CompiledEstimator:
    """Raises NotCompilableError for whatever is no wrapper of these libraries, and for what theirs do beside arrays."""
    kind = type(fitted)
    make = BOOSTERS.get((kind.__module__.partition(".")[0], kind.__name__))
    if make is None:
        raise NotCompilableError(kind.__name__, "no compiled form")
    return make(fitted)


def _floats(block: Any) -> Array:
    """Rows of float64. Where scikit-learn keeps a sparse matrix, its zeros are zeros."""
    return np.asarray(as_floats(block if isinstance(block, ColumnBlock) else dense(block)))


def _float32(block: Any) -> Array:
    with np.errstate(over="ignore"):
        return _floats(block).astype(np.float32)


def _xgboost_splits(tree: Mapping[str, Any]) -> tuple[Array, Array]:
    """The features and values of one tree's nodes; a leaf has no child."""
    leaf = np.asarray(tree["left_children"]) < 0
    features = np.where(leaf, -1, np.asarray(tree["split_indices"]))
    return features, np.asarray(tree["split_conditions"], dtype=np.float32)


def _lightgbm_splits(text: str) -> list[tuple[Array, Array]]:
    """The features and values of each tree's nodes, from the text format."""
    features, values = (
        [np.array(line.split(), dtype=np.float64) for line in re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)]
        for key in ("split_feature", "threshold")
    )
    return list(zip(features, values))
