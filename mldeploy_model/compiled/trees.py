"""Trees and what is made of them: float32 rows go to scikit-learn's own compiled tree code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mldeploy_model.compiled.blocks import Array, ColumnBlock, SparseBlock, as_float32, as_floats
from mldeploy_model.compiled.operations import NotCompilableError, Operation, dense, quietly

FEW_ROWS = 512  # up to here one thread is faster than starting several


class Forest:
    """One tree or the mean of several: DecisionTree, ExtraTree, RandomForest and ExtraTrees of both kinds."""

    def __init__(self, fitted: Any, trees: Sequence[Any], mean: bool) -> None:
        self.trees, self.mean = tuple(tree.tree_ for tree in trees), mean
        self.classes = getattr(fitted, "classes_", None)
        self.has_probabilities = self.classes is not None
        self.allow_nan = accepts_missing(trees[0])
        self.outputs = fitted.n_outputs_

    def predict(self, block: Any) -> Array:
        values = self._values(block)
        if self.classes is not None:
            return np.asarray(self.classes.take(np.argmax(values, axis=1), axis=0))
        return values

    def probabilities(self, block: Any) -> Any:
        return self._values(block)

    def parts(self) -> Sequence[object]:
        return ()

    def thresholds(self) -> dict[int, Array]:
        """For each feature the values that trees compare it with."""
        return merge_thresholds((tree.feature, tree.threshold) for tree in self.trees)

    def _values(self, block: Any) -> Array:
        array = as_float32(dense_block(block), self.allow_nan and not isinstance(block, SparseBlock))
        if not self.mean:
            return self._shaped(self.trees[0].predict(array))
        total = np.zeros_like(self._shaped(self.trees[0].predict(array[:1])), shape=self._shape(len(array)))
        for tree in self.trees:
            total += self._shaped(tree.predict(array))
        total /= len(self.trees)
        return total

    def _shape(self, count: int) -> tuple[int, ...]:
        if self.classes is not None:
            return (count, len(self.classes))
        return (count,) if self.outputs == 1 else (count, self.outputs)

    def _shaped(self, values: Array) -> Array:
        if self.classes is not None:
            return values[:, : len(self.classes)]
        return values[:, 0] if self.outputs == 1 else values[:, :, 0]


def compile_forest(fitted: Any) -> Forest:
    """Raises NotCompilableError for several class targets and for versions whose trees hold counts."""
    several = hasattr(fitted, "estimators_")
    trees = list(fitted.estimators_) if several else [fitted]
    name = type(fitted).__name__
    if hasattr(fitted, "classes_"):
        if fitted.n_outputs_ > 1:
            raise NotCompilableError(name, "it predicts several targets")
        if _version() < (1, 3):
            raise NotCompilableError(name, "trees of scikit-learn before 1.3 hold counts instead of shares")
    return Forest(fitted, trees, several)


class Boosting:
    """GradientBoosting of both kinds: the start value, then all stages in compiled code."""

    def __init__(self, fitted: Any, stages: Callable[..., None]) -> None:
        self.fitted, self.stages = fitted, stages
        self.classes = getattr(fitted, "classes_", None)
        self.has_probabilities = self.classes is not None and hasattr(fitted, "predict_proba")
        self.start = self._constant_start()

    def predict(self, block: Any) -> Array:
        raw = self._raw(block)
        if self.classes is None:
            return raw.ravel()
        winners = (raw.ravel() >= 0).astype(int) if raw.shape[1] == 1 else np.argmax(raw, axis=1)
        return np.asarray(self.classes[winners])

    def probabilities(self, block: Any) -> Any:
        raw = self._raw(block)
        return self.fitted._loss.predict_proba(raw.ravel() if raw.shape[1] == 1 else raw)

    def parts(self) -> Sequence[object]:
        return ()

    def thresholds(self) -> dict[int, Array]:
        """For each feature the values that trees compare it with."""
        return merge_thresholds((t.tree_.feature, t.tree_.threshold) for t in self.fitted.estimators_.ravel())

    def _raw(self, block: Any) -> Array:
        array = np.ascontiguousarray(as_float32(dense_block(block), allow_nan=False))
        raw = self._first_values(array, sparse=isinstance(block, SparseBlock))
        self.stages(self.fitted.estimators_, array, self.fitted.learning_rate, raw)
        return raw

    def _first_values(self, array: Array, sparse: bool) -> Array:
        if self.start is None:
            return np.asarray(self.fitted._raw_predict_init(SparseBlock(array).matrix() if sparse else array))
        return np.repeat(self.start, len(array), axis=0)

    def _constant_start(self) -> Array | None:
        """The value before the first stage, if it is the same for all rows."""
        start = self.fitted.init_
        if not isinstance(start, str) and type(start).__name__ not in ("DummyRegressor", "DummyClassifier"):
            return None
        row = np.zeros((1, self.fitted.n_features_in_), dtype=np.float32)
        return np.asarray(quietly(lambda: self.fitted._raw_predict_init(row)))


def compile_boosting(fitted: Any) -> Boosting:
    """Raises NotCompilableError if this version has moved the code of its stages."""
    try:
        from sklearn.ensemble._gradient_boosting import predict_stages
    except ImportError as error:
        raise NotCompilableError(type(fitted).__name__, "this version of scikit-learn has other tree code") from error
    if not (hasattr(fitted, "_raw_predict_init") and hasattr(fitted._loss, "link")):
        raise NotCompilableError(type(fitted).__name__, "this version of scikit-learn starts it in another way")
    return Boosting(fitted, predict_stages)


class HistBoosting:
    """HistGradientBoosting of both kinds: float64 rows, its own compiled predictors, tree by tree."""

    compares = np.float64

    def __init__(self, fitted: Any, preprocess: Operation | None) -> None:
        self.fitted, self.preprocess = fitted, preprocess
        self.classes = getattr(fitted, "classes_", None)
        self.has_probabilities = self.classes is not None
        self.bitsets = fitted._bin_mapper.make_known_categories_bitsets()
        self.trees = [tuple(stage) for stage in fitted._predictors]
        self.loss = fitted._loss
        self.start = np.asarray(fitted._baseline_prediction)
        self.width = fitted.n_trees_per_iteration_
        self.threads = _openmp_threads()

    def predict(self, block: Any) -> Array:
        raw = self._raw(block)
        if self.classes is None:
            return np.asarray(self.loss.link.inverse(raw.ravel()))
        winners = (raw.ravel() > 0).astype(int) if raw.shape[1] == 1 else np.argmax(raw, axis=1)
        return np.asarray(self.classes[winners])

    def probabilities(self, block: Any) -> Any:
        return self.loss.predict_proba(self._raw(block))

    def parts(self) -> Sequence[object]:
        return () if self.preprocess is None else (self.preprocess,)

    def thresholds(self) -> dict[int, Array]:
        """For each feature the values that trees compare it with."""
        nodes = [tree.nodes[tree.nodes["is_leaf"] == 0] for stage in self.trees for tree in stage]
        return merge_thresholds((node["feature_idx"], node["num_threshold"]) for node in nodes)

    def _raw(self, block: Any) -> Array:
        if self.preprocess is not None:
            block = self.preprocess.transform(block)
        array = np.asarray(as_floats(dense_block(block)), dtype=np.float64)
        threads = 1 if len(array) <= FEW_ROWS else self.threads
        raw = np.zeros((len(array), self.width), dtype=self.start.dtype, order="F")
        raw += self.start
        for stage in self.trees:
            for column, tree in enumerate(stage):
                raw[:, column] += tree.predict(array, *self.bitsets, threads)
        return raw


def compile_hist_boosting(fitted: Any, compile_transformer: Callable[[Any], Operation]) -> HistBoosting:
    """The encoder of categories that it has inside is compiled like any other transformer."""
    preprocessor = getattr(fitted, "_preprocessor", None)
    return HistBoosting(fitted, None if preprocessor is None else compile_transformer(preprocessor))


def accepts_missing(tree: Any) -> bool:
    """Whether a fitted tree takes NaN; no tree did before scikit-learn 1.3."""
    supports = getattr(tree, "_support_missing_values", None)
    return bool(supports is not None and supports(np.zeros((1, 1))))


def merge_thresholds(pairs: Any) -> dict[int, Array]:
    """The thresholds of many trees by feature. A leaf has a negative feature."""
    listed = [(np.asarray(features), np.asarray(values)) for features, values in pairs]
    if not listed:
        return {}
    features, values = np.concatenate([f for f, _ in listed]), np.concatenate([v for _, v in listed])
    return {int(feature): np.unique(values[features == feature]) for feature in np.unique(features) if feature >= 0}


def dense_block(block: Any) -> Any:
    """Sparse data in the dense form: a tree compares the same values."""
    return (
        block if isinstance(block, ColumnBlock) else dense(block) if not isinstance(block, SparseBlock) else block.dense
    )


def _version() -> tuple[int, ...]:
    import sklearn

    return tuple(int(part) for part in sklearn.__version__.split(".")[:2])


def _openmp_threads() -> int:
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

    return int(_openmp_effective_n_threads(None))
