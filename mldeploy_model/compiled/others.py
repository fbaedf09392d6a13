"""Estimators whose own array code is called behind the checks: naive Bayes, networks, and what wraps an estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mldeploy_model.compiled.blocks import Array, SparseBlock, as_numbers, refuse_not_finite
from mldeploy_model.compiled.operations import CompiledEstimator, NotCompilableError

NAIVE_BAYES = ("BernoulliNB", "CategoricalNB", "ComplementNB", "GaussianNB", "MultinomialNB")


class NaiveBayes:
    """The joint log likelihood by the model's own code, then the logarithm of the sum of exponentials."""

    has_probabilities = True

    def __init__(self, fitted: Any) -> None:
        from scipy.special import logsumexp

        self.fitted, self.classes, self.logsumexp = fitted, fitted.classes_, logsumexp
        self.kind = type(fitted).__name__

    def predict(self, block: Any) -> Array:
        return np.asarray(self.classes[np.argmax(self._likelihood(block), axis=1)])

    def probabilities(self, block: Any) -> Any:
        likelihood = self._likelihood(block)
        return np.exp(likelihood - np.atleast_2d(self.logsumexp(likelihood, axis=1)).T)

    def parts(self) -> Sequence[object]:
        return ()

    def _likelihood(self, block: Any) -> Array:
        values = block.matrix() if isinstance(block, SparseBlock) else block
        if hasattr(values, "tocsr") or self.kind in ("BernoulliNB", "CategoricalNB"):
            values = self.fitted._check_X(values if hasattr(values, "tocsr") else as_numbers(values))
        else:
            values = as_numbers(values)
            refuse_not_finite(values)
        return np.asarray(self.fitted._joint_log_likelihood(values))


def compile_naive_bayes(fitted: Any) -> NaiveBayes:
    if hasattr(fitted, "feature_names_in_") and type(fitted).__name__ in ("BernoulliNB", "CategoricalNB"):
        raise NotCompilableError(type(fitted).__name__, "its own checks want the columns' names")
    return NaiveBayes(fitted)


class NeuralNetwork:
    """MLPClassifier and MLPRegressor: the forward pass by the model's own code."""

    def __init__(self, fitted: Any) -> None:
        self.fitted = fitted
        self.classes = getattr(fitted, "classes_", None)
        self.has_probabilities = self.classes is not None

    def predict(self, block: Any) -> Array:
        output = self._forward(block)
        if self.classes is not None:
            labels = self.fitted._label_binarizer
            return np.asarray(labels.inverse_transform(output.ravel() if self.fitted.n_outputs_ == 1 else output))
        return output.ravel() if output.shape[1] == 1 else output

    def probabilities(self, block: Any) -> Any:
        output = self._forward(block)
        if self.fitted.n_outputs_ != 1:
            return output
        flat = output.ravel()
        return np.vstack([1 - flat, flat]).T

    def parts(self) -> Sequence[object]:
        return ()

    def _forward(self, block: Any) -> Array:
        if isinstance(block, SparseBlock):
            refuse_not_finite(block.dense)
            values = block.matrix()
        elif hasattr(block, "tocsr"):
            values = block
        else:
            values = as_numbers(block)
            refuse_not_finite(values)
        return np.asarray(self.fitted._forward_pass_fast(values, check_input=False))


class BackTransformed:
    """TransformedTargetRegressor: the regressor's prediction in the target's own unit."""

    classes = None
    has_probabilities = False

    def __init__(self, fitted: Any, regressor: CompiledEstimator) -> None:
        self.fitted, self.regressor = fitted, regressor
        self.inverse = _inverse(fitted.transformer_)
        self.flat = fitted._training_dim == 1

    def predict(self, block: Any) -> Array:
        predicted = self.regressor.predict(block)
        values = self.inverse(predicted.reshape(-1, 1) if predicted.ndim == 1 else predicted)
        return np.asarray(values.squeeze(axis=1) if self.flat and values.ndim == 2 and values.shape[1] == 1 else values)

    def probabilities(self, block: Any) -> Any:
        return None

    def parts(self) -> Sequence[object]:
        return (self.regressor,)


def _inverse(transformer: Any) -> Callable[[Array], Any]:
    """The transformer's inverse, without its checks where they are only those of finite numbers."""
    function = getattr(transformer, "inverse_func", None)
    if type(transformer).__name__ != "FunctionTransformer" or function is None:
        return transformer.inverse_transform  # type: ignore[no-any-return]
    return FunctionInverse(function, dict(transformer.inv_kw_args or {}), bool(transformer.validate))


class FunctionInverse:
    """The inverse of a FunctionTransformer, with its check of finite numbers if it has one."""

    def __init__(self, function: Callable[..., Any], arguments: Mapping[str, Any], checks: bool) -> None:
        self.function, self.arguments, self.checks = function, arguments, checks

    def __call__(self, values: Array) -> Any:
        """Raises ValueError for values that are not finite."""
        if self.checks:
            refuse_not_finite(values)
        return self.function(values, **self.arguments)
