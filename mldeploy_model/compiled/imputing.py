"""SimpleImputer and MissingIndicator: the missing values' mask, then the statistics of the fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from mldeploy_model.compiled.blocks import (
    Array,
    Block,
    as_array,
    as_floats,
    refuse_infinity,
    refuse_not_finite,
)
from mldeploy_model.compiled.encoding import is_nan
from mldeploy_model.compiled.operations import DenseOperation, NotCompilableError, Operation


class Imputation(DenseOperation):
    """SimpleImputer, with the indicator's columns behind its own if it adds them."""

    def __init__(self, fitted: Any) -> None:
        super().__init__(fitted)
        self.numeric = fitted.strategy not in ("most_frequent", "constant")
        self.objects = fitted._fit_dtype.kind == "O"
        self.kept = None
        self.statistics = fitted.statistics_
        if not getattr(fitted, "keep_empty_features", False):
            valid = ~missing_mask(fitted.statistics_, np.nan)
            self.statistics = fitted.statistics_[valid]
            self.kept = None if valid.all() else np.flatnonzero(valid)
        self.fill_type = getattr(fitted, "_fill_dtype", None)
        if self.fill_type is not None:
            self.statistics = self.statistics.astype(self.fill_type, copy=False)
        self.indicator = Indication(fitted.indicator_) if fitted.add_indicator else None

    def compute(self, block: Block) -> Array:
        array = self._array(block)
        mask = missing_mask(array, self.fitted.missing_values)
        valid = mask
        if self.kept is not None:
            array, valid = array[:, self.kept], mask[:, self.kept]
        if valid.any():
            values = np.repeat(self.statistics, np.sum(valid, axis=0))
            array[np.where(valid.transpose())[::-1]] = values
        if self.indicator is None:
            return array
        return np.hstack((array, self.indicator.columns(mask)))

    def _array(self, block: Block) -> Array:
        """The values in the type that the imputer works with, in memory of its own. Refuses what it refuses."""
        if self.objects:
            array = as_array(block).astype(object)
        else:
            array = np.array(as_floats(block) if self.numeric else as_array(block), copy=True)
        if array.dtype.kind not in "iufO":
            raise ValueError(f"SimpleImputer does not support data with dtype {array.dtype}")
        if is_nan(self.fitted.missing_values):
            refuse_infinity(array)
        elif array.dtype.kind == "O":
            if missing_mask(array, np.nan).any():
                raise ValueError("Input X contains NaN")
        else:
            refuse_not_finite(array)
        self._check_fill(array)
        return array

    def _check_fill(self, array: Array) -> None:
        if self.fitted.strategy != "constant" or self.fill_type is None:
            return
        if not np.can_cast(self.fill_type, array.dtype, casting="same_kind"):
            raise ValueError(f"the filling value cannot be cast to the input data that is {array.dtype}")


class Indication:
    """The columns that say where values are missing."""

    def __init__(self, fitted: Any) -> None:
        self.fitted = fitted
        self.width = fitted._n_features

    def columns(self, mask: Array) -> Array:
        """Raises ValueError for a column that had no missing value in the fit, where the indicator minds that."""
        if self.fitted.features != "missing-only":
            return mask
        features = self.fitted.features_
        if self.fitted.error_on_new:
            new = np.setdiff1d(np.flatnonzero(mask.any(axis=0)), features)
            if new.size:
                raise ValueError(f"The features {new} have missing values in transform but not in fit.")
        return mask[:, features] if features.size < self.width else mask


def missing_mask(array: Array, missing: Any) -> Array:
    """Where the values are missing ones: NaN, or equal to the value that stands for it."""
    if is_nan(missing):
        if array.dtype.kind == "f":
            return np.isnan(array)
        return np.asarray(array != array, dtype=bool)  # noqa: PLR0124 - NaN alone differs from itself
    return np.asarray(array == missing, dtype=bool)


def compile_imputer(fitted: Any) -> Operation:
    missing = fitted.missing_values
    if not is_nan(missing) and not isinstance(missing, (int, float, str)):
        raise NotCompilableError("SimpleImputer", f"missing_values={missing!r}")
    if fitted.strategy not in ("mean", "median", "most_frequent", "constant"):
        raise NotCompilableError("SimpleImputer", "its strategy is a function")
    return Imputation(fitted)
