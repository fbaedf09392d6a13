"""Linear models: one product of the rows with the coefficients, in the order of summation of the original."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mldeploy_model.compiled.blocks import Array, SparseBlock, as_floats, as_numbers, refuse_not_finite
from mldeploy_model.compiled.operations import NotCompilableError

REGRESSORS = (
    *("ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV", "Lasso"),
    *("LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression", "LinearSVR", "MultiTaskElasticNet"),
    *("MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV", "OrthogonalMatchingPursuit"),
    *("OrthogonalMatchingPursuitCV", "PassiveAggressiveRegressor", "QuantileRegressor", "Ridge", "RidgeCV"),
    *("SGDRegressor", "TheilSenRegressor"),
)
CLASSIFIERS = (
    *("LinearSVC", "LogisticRegression", "LogisticRegressionCV", "PassiveAggressiveClassifier", "Perceptron"),
    *("RidgeClassifier", "RidgeClassifierCV", "SGDClassifier"),
)
GENERALIZED = ("GammaRegressor", "PoissonRegressor", "TweedieRegressor")


def product(block: Any, coefficients: Array, floats: bool = False, unchecked: bool = False) -> Array:
    """The rows times the coefficients. A sparse block is multiplied as SciPy does it, a dense one by BLAS.

    `unchecked`: sparse rows may have missing values, since the original does not look at them.
    """
    if isinstance(block, SparseBlock):
        if not unchecked:
            refuse_not_finite(block.dense)
        return np.asarray(block.matrix() @ coefficients)
    if hasattr(block, "tocsr"):
        return np.asarray(block @ coefficients)
    array = as_floats(block) if floats else as_numbers(block)
    refuse_not_finite(array)
    return np.asarray(array @ coefficients)


class LinearRegressor:
    """Every regressor whose prediction is the product and an intercept."""

    classes = None
    has_probabilities = False

    def __init__(self, fitted: Any) -> None:
        self.coefficients = fitted.coef_.T if fitted.coef_.ndim > 1 else fitted.coef_
        self.intercept = fitted.intercept_
        self.unchecked = hasattr(fitted, "sparse_coef_")  # the coordinate descent's models
        self.flat = type(fitted).__name__ in ("SGDRegressor", "PassiveAggressiveRegressor")

    def predict(self, block: Any) -> Array:
        scores = product(block, self.coefficients, unchecked=self.unchecked) + self.intercept
        return np.asarray(scores.ravel() if self.flat else scores)

    def probabilities(self, block: Any) -> Any:
        return None

    def parts(self) -> Sequence[object]:
        return ()


class GeneralizedRegressor(LinearRegressor):
    """A generalized linear model: the inverse link of the product."""

    def __init__(self, fitted: Any) -> None:
        super().__init__(fitted)
        self.inverse = fitted._base_loss.link.inverse

    def predict(self, block: Any) -> Array:
        return np.asarray(self.inverse(product(block, self.coefficients, floats=True) + self.intercept))


class LinearClassifier:
    """Every classifier that takes the class of the greatest product."""

    def __init__(self, fitted: Any, form: str) -> None:
        self.coefficients, self.intercept, self.classes = fitted.coef_.T, fitted.intercept_, fitted.classes_
        self.form = form
        self.has_probabilities = form != ""
        self.logistic = _logistic_function() if form == "logistic" else None

    def predict(self, block: Any) -> Array:
        scores = self._scores(block)
        winners = (scores > 0).astype(np.intp) if scores.ndim == 1 else np.argmax(scores, axis=1)
        return np.asarray(self.classes.take(winners, axis=0))

    def probabilities(self, block: Any) -> Any:
        scores = self._scores(block)
        if self.form == "softmax":
            return softmax(scores)
        return clipped_shares(scores) if self.logistic is None else shares_of_each(self.logistic(scores))

    def parts(self) -> Sequence[object]:
        return ()

    def _scores(self, block: Any) -> Array:
        scores = product(block, self.coefficients) + self.intercept
        return np.asarray(scores.ravel() if scores.ndim > 1 and scores.shape[1] == 1 else scores)


def softmax(scores: Array) -> Array:
    """Each row's exponentials divided by their sum, of scores without their greatest."""
    scores = scores - np.max(scores, axis=1).reshape((-1, 1))
    np.exp(scores, out=scores)
    scores /= np.sum(scores, axis=1).reshape((-1, 1))
    return scores


def _logistic_function() -> Callable[[Array], Array]:
    from scipy.special import expit

    return expit  # type: ignore[no-any-return]


def shares_of_each(shares: Array) -> Array:
    """Probabilities of what the logistic function makes of each score: for several classes divided by the row's sum."""
    if shares.ndim == 1:
        return np.stack([1 - shares, shares], axis=1)
    return _divide_by_sum(shares)


def clipped_shares(scores: Array) -> Array:
    """The probabilities of the modified Huber loss."""
    shares = np.clip(scores, -1, 1)
    shares += 1.0
    shares /= 2.0
    if shares.ndim == 1:
        return np.stack([1 - shares, shares], axis=1)
    return _divide_by_sum(shares)


def _divide_by_sum(shares: Array) -> Array:
    total = shares.sum(axis=1)
    empty = total == 0
    if empty.any():
        shares[empty, :] = 1
        total[empty] = shares.shape[1]
    shares /= total.reshape((shares.shape[0], -1))
    return shares


def compile_linear_classifier(fitted: Any) -> LinearClassifier:
    """Raises NotCompilableError for several targets at once."""
    name = type(fitted).__name__
    if not isinstance(fitted.classes_, np.ndarray) or _is_multilabel(fitted):
        raise NotCompilableError(name, "it predicts several targets")
    return LinearClassifier(fitted, _form(fitted))


def _is_multilabel(fitted: Any) -> bool:
    binarizer = getattr(fitted, "_label_binarizer", None)
    return binarizer is not None and str(binarizer.y_type_).startswith("multilabel")


def _form(fitted: Any) -> str:
    """Which function makes probabilities of the scores; "" for none."""
    if not hasattr(fitted, "predict_proba"):
        return ""
    if type(fitted).__name__ == "SGDClassifier":
        return "huber" if fitted.loss == "modified_huber" else "logistic"
    several = getattr(fitted, "multi_class", "auto")
    if several == "multinomial" and len(fitted.classes_) == 2:
        raise NotCompilableError(type(fitted).__name__, "multi_class='multinomial' with two classes")
    single = len(fitted.classes_) <= 2 or several == "ovr" or fitted.solver == "liblinear"
    return "logistic" if single else "softmax"
