"""Scalers and other transformers of numbers, statement by statement as in scikit-learn."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from mldeploy_model.compiled.blocks import (
    Array,
    Block,
    ColumnBlock,
    SparseBlock,
    as_floats,
    as_numbers,
    float_copy,
    refuse_not_finite,
)
from mldeploy_model.compiled.encoding import LookUp, compile_encoder
from mldeploy_model.compiled.operations import DenseOperation, Identity, NotCompilableError, Operation


class AffineScaler(DenseOperation):
    """StandardScaler, RobustScaler and MaxAbsScaler: subtract, then divide."""

    def __init__(self, fitted: Any, center: Array | None, scale: Array | None, clip: bool = False) -> None:
        super().__init__(fitted)
        self.center, self.scale, self.clip = center, scale, clip

    def compute(self, block: Block) -> Array:
        array = float_copy(block)
        if self.center is not None:
            array -= self.center.astype(array.dtype, copy=False)
        if self.scale is not None:
            array /= self.scale.astype(array.dtype, copy=False)
        return np.clip(array, -1.0, 1.0, out=array) if self.clip else array

    def compute_sparse(self, block: SparseBlock) -> SparseBlock:
        array = float_copy(block)
        if self.center is not None:
            raise ValueError("Cannot center sparse matrices: pass `with_mean=False` instead.")
        if self.scale is not None:
            array *= 1 / self.scale  # what scikit-learn multiplies the stored values by
        return SparseBlock(np.clip(array, -1.0, 1.0, out=array) if self.clip else array)


def compile_standard(fitted: Any) -> Operation:
    return AffineScaler(fitted, fitted.mean_ if fitted.with_mean else None, fitted.scale_ if fitted.with_std else None)


def compile_robust(fitted: Any) -> Operation:
    return AffineScaler(
        fitted, fitted.center_ if fitted.with_centering else None, fitted.scale_ if fitted.with_scaling else None
    )


def compile_max_abs(fitted: Any) -> Operation:
    return AffineScaler(fitted, None, fitted.scale_, bool(getattr(fitted, "clip", False)))


class MinMax(DenseOperation):
    """MinMaxScaler: multiply, add, clip."""

    def compute(self, block: Block) -> Array:
        array = float_copy(block)
        array *= self.fitted.scale_
        array += self.fitted.min_
        if self.fitted.clip:
            low, high = (np.asarray(bound, dtype=array.dtype) for bound in self.fitted.feature_range)
            np.clip(array, low, high, out=array)
        return array


class RowNormalizer(DenseOperation):
    """Normalizer: divide each row by its norm."""

    def compute(self, block: Block) -> Array:
        array = as_floats(as_numbers(block))
        refuse_not_finite(array)
        array = np.array(array, copy=True)
        norms = self._norms(array)
        norms[norms < 10 * np.finfo(norms.dtype).eps] = 1.0
        array /= norms[:, None]
        return array

    def _norms(self, array: Array) -> Array:
        if self.fitted.norm == "l1":
            return np.asarray(np.sum(np.abs(array), axis=1))
        if self.fitted.norm == "l2":
            return np.asarray(np.sqrt(np.einsum("ij,ij->i", array, array)))
        return np.asarray(np.max(np.abs(array), axis=1))


class Threshold(DenseOperation):
    """Binarizer: 1 above the threshold, else 0."""

    def compute(self, block: Block) -> Array:
        array = as_numbers(block)
        refuse_not_finite(array)
        array = np.array(array, copy=True)
        above = array > self.fitted.threshold
        array[above] = 1
        array[~above] = 0
        return array


class PowerScaler(DenseOperation):
    """PowerTransformer: Box-Cox or Yeo-Johnson a column, by SciPy's functions, then standardize."""

    def __init__(self, fitted: Any) -> None:
        super().__init__(fitted)
        self.function = _power_function(fitted)
        self.standardize = compile_standard(fitted._scaler) if fitted.standardize else Identity()

    def compute(self, block: Block) -> Any:
        array = float_copy(block)
        if self.fitted.method == "box-cox" and (array[~np.isnan(array)] <= 0).any():
            raise ValueError("The Box-Cox transformation can only be applied to strictly positive data")
        for index, power in enumerate(self.fitted.lambdas_):
            with np.errstate(invalid="ignore"):
                array[:, index] = self.function(array[:, index], power)
        return self.standardize.transform(array)


def _power_function(fitted: Any) -> Callable[[Array, float], Array]:
    from scipy import special, stats

    if fitted.method == "box-cox":
        return special.boxcox  # type: ignore[no-any-return]
    function: Callable[[Array, float], Array] = getattr(fitted, "_yeo_johnson_transform", None) or stats.yeojohnson
    return function


class Quantiles(DenseOperation):
    """QuantileTransformer: its own interpolation, without the checks."""

    def compute(self, block: Block) -> Any:
        return self.fitted._transform(float_copy(block), inverse=False)


def compile_quantiles(fitted: Any) -> Operation:
    if not hasattr(fitted, "_transform"):
        raise NotCompilableError("QuantileTransformer", "this version of scikit-learn computes it in another way")
    return Quantiles(fitted)


class Bins(DenseOperation):
    """KBinsDiscretizer: a search in the borders, then the code of the bin."""

    def __init__(self, fitted: Any, encoder: LookUp | None) -> None:
        super().__init__(fitted)
        self.borders = [edges[1:-1] for edges in fitted.bin_edges_]
        self.encoder = encoder

    def compute(self, block: Block) -> Any:
        array = as_floats(block)
        refuse_not_finite(array)
        array = np.array(array, copy=True, dtype=self.fitted.dtype)
        for index, borders in enumerate(self.borders):
            array[:, index] = np.searchsorted(borders, array[:, index], side="right")
        return array if self.encoder is None else self.encoder.transform(array)


def compile_bins(fitted: Any) -> Operation:
    encoder = None if fitted.encode == "ordinal" else compile_encoder(fitted._encoder)
    if encoder is not None:
        encoder.dtype = np.dtype(fitted.dtype or np.float64)
    return Bins(fitted, encoder)


class Polynomial(DenseOperation):
    """PolynomialFeatures: each term is a column times a term of the degree before."""

    def __init__(self, fitted: Any) -> None:
        super().__init__(fitted)
        lowest, highest = fitted.degree if isinstance(fitted.degree, tuple) else (0, fitted.degree)
        self.order, self.lowest, self.bias = fitted.order, lowest, fitted.include_bias
        self.width, self.steps = _terms(fitted.n_features_in_, highest, fitted.interaction_only)
        self.kept = fitted.n_output_features_ - int(self.bias)

    def compute(self, block: Block) -> Array:
        array = np.asfortranarray(as_floats(block))
        refuse_not_finite(array)
        first = int(self.bias)
        terms = np.empty((len(array), first + self.width), dtype=array.dtype, order=self.order)
        terms[:, :first] = 1
        if self.width:
            terms[:, first : first + array.shape[1]] = array
        for span, before, features in self.steps:
            terms[:, first + span.start : first + span.stop] = terms[:, before + first] * array[:, features]
        if self.lowest <= 1:
            return terms
        out = np.empty((len(array), first + self.kept), dtype=array.dtype, order=self.order)
        out[:, :first] = 1
        out[:, first:] = terms[:, terms.shape[1] - self.kept :]
        return out


def _terms(features: int, highest: int, interaction_only: bool) -> tuple[int, list[tuple[slice, Array, Array]]]:
    """How many terms there are, and for each degree from 2 where they go, the terms before and the columns."""
    choose = itertools.combinations if interaction_only else itertools.combinations_with_replacement
    position: dict[tuple[int, ...], int] = {}
    steps = []
    for degree in range(1, highest + 1):
        combinations = list(choose(range(features), degree))
        start = len(position)
        position.update({combination: start + i for i, combination in enumerate(combinations)})
        if degree > 1 and combinations:
            before = np.array([position[combination[1:]] for combination in combinations], dtype=np.intp)
            columns = np.array([combination[0] for combination in combinations], dtype=np.intp)
            steps.append((slice(start, len(position)), before, columns))
    return len(position), steps


class FunctionOperation(Operation):
    """FunctionTransformer with a NumPy ufunc, column by column as pandas applies it."""

    def __init__(self, fitted: Any) -> None:
        self.function: Callable[..., Any] = fitted.func
        self.arguments = dict(fitted.kw_args or {})
        self.checks = bool(fitted.validate)

    def transform(self, block: Any) -> Any:
        if isinstance(block, SparseBlock):
            return self.function(block.matrix(), **self.arguments)
        if self.checks:
            block = as_numbers(block)
            refuse_not_finite(block)
        if isinstance(block, ColumnBlock):
            values = [self.function(block.column(i), **self.arguments) for i in range(len(block.values))]
            return ColumnBlock(block.names, [""] * len(values), values, block.rows)
        return self.function(block, **self.arguments)


class NumberCheck(Operation):
    """FunctionTransformer without a function, or with scikit-learn's own `check_array`, which only converts."""

    def __init__(self, converts: bool, finite: bool) -> None:
        self.converts, self.finite = converts, finite

    def transform(self, block: Any) -> Any:
        array = as_floats(block) if self.converts else as_numbers(block)
        if self.finite:
            refuse_not_finite(array)
        return array


def compile_function(fitted: Any) -> Operation:
    function = fitted.func
    if function is None:
        return NumberCheck(converts=False, finite=True) if fitted.validate else Identity()
    if isinstance(function, np.ufunc) and function.nin == 1 and function.nout == 1:
        return FunctionOperation(fitted)
    if _only_converts(function):
        return NumberCheck(converts=True, finite=False)
    raise NotCompilableError("FunctionTransformer", f"{getattr(function, '__name__', function)!r} is no NumPy ufunc")


def _only_converts(function: Any) -> bool:
    """Whether it is scikit-learn's own conversion to float64, as the boosting of histograms has it inside."""
    if not isinstance(function, functools.partial) or function.func.__name__ != "check_array":
        return False
    return function.keywords.get("dtype") == [np.float64] and False in function.keywords.values()
