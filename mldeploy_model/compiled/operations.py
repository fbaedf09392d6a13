"""What a plan consists of: operations that turn a block into a block, and estimators at the end."""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from mldeploy_model.compiled.blocks import Array, Block, ColumnBlock, SparseBlock, as_array, build_frame, table_from


class NotCompilableError(Exception):
    """A part of the model has no compiled form, and cannot stand in a plan as it is."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part}: {reason}")
        self.part = part
        self.reason = reason


class Operation(ABC):
    """One fitted transformer as array operations. Safe to use from several threads: it changes nothing of itself."""

    @abstractmethod
    def transform(self, block: Any) -> Any:
        """The transformed block. Raises ValueError for rows that the original refuses."""

    def parts(self) -> Sequence[object]:
        """The operations that this one consists of."""
        return ()


class DenseOperation(Operation):
    """An operation on dense arrays. A sparse block goes to the fitted transformer itself."""

    def __init__(self, fitted: Any) -> None:
        self.fitted = fitted

    def transform(self, block: Any) -> Any:
        if isinstance(block, SparseBlock):
            return self.compute_sparse(block)
        if _is_scipy(block):
            return self.fitted.transform(block)
        return self.compute(block)

    def compute_sparse(self, block: SparseBlock) -> Any:
        """The transformed block for one that stands for a sparse matrix."""
        return self.fitted.transform(block.matrix())

    @abstractmethod
    def compute(self, block: Block) -> Any:
        """The transformed block for a table or a dense array."""


class Identity(Operation):
    """What `passthrough` does."""

    def transform(self, block: Any) -> Any:
        return block


class Chain(Operation):
    """Operations one after the other: a pipeline without its estimator."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = tuple(operations)

    def transform(self, block: Any) -> Any:
        for operation in self.operations:
            block = operation.transform(block)
        return block

    def parts(self) -> Sequence[object]:
        return self.operations


class CompiledEstimator(Protocol):
    """The end of a plan. `classes` is None for a regression, `probabilities` is None where the model has none."""

    classes: Any
    has_probabilities: bool

    def predict(self, block: Any) -> Array:
        """What the model's own `predict` returns for this input."""

    def probabilities(self, block: Any) -> Any:
        """What the model's own `predict_proba` returns for this input."""

    def parts(self) -> Sequence[object]:
        """The operations that this one consists of."""


class StockStep(Operation):
    """A fitted transformer that is called as it is, on an array, or on a DataFrame where it takes columns by name."""

    def __init__(self, fitted: Any) -> None:
        self.needs_frame = takes_columns_by_name(fitted)
        self.fitted = fitted if self.needs_frame else without_names(fitted)

    def transform(self, block: Any) -> Any:
        return table_from(self.fitted.transform(stock_input(block, self.needs_frame)))


class StockEstimator:
    """A fitted estimator that is called as it is, on an array where its own code needs no more."""

    def __init__(self, fitted: Any) -> None:
        self.needs_frame = takes_columns_by_name(fitted)
        self.fitted = fitted if self.needs_frame else without_names(fitted)
        self.classes = getattr(fitted, "classes_", None)
        self.has_probabilities = hasattr(fitted, "predict_proba")

    def predict(self, block: Any) -> Array:
        return np.asarray(self.fitted.predict(stock_input(block, self.needs_frame)))

    def probabilities(self, block: Any) -> Any:
        return self.fitted.predict_proba(stock_input(block, self.needs_frame))

    def parts(self) -> Sequence[object]:
        return ()


def stock_input(block: Any, needs_frame: bool) -> Any:
    """The block in the form that a fitted part takes."""
    if isinstance(block, SparseBlock):
        return block.matrix()
    if isinstance(block, ColumnBlock):
        return build_frame(block) if needs_frame else block.array()
    return block


def takes_columns_by_name(fitted: Any) -> bool:
    """Whether a part looks at columns' names: code that is not a library's own, and what has such parts in it."""
    if not hasattr(fitted, "feature_names_in_"):
        return not _is_library(fitted)
    return not _is_library(fitted) or any(
        hasattr(value, "fit") for value in fitted.get_params(deep=True).values() if not isinstance(value, type)
    )


def without_names(fitted: Any) -> Any:
    """A shallow copy that accepts an array without a warning, although the original has columns' names."""
    if "feature_names_in_" not in getattr(fitted, "__dict__", {}):
        return fitted
    twin = copy.copy(fitted)
    del twin.feature_names_in_
    return twin


def library_class(fitted: Any) -> str:
    """The name of a part's class if the class is scikit-learn's own, else "". A subclass may do something else."""
    return type(fitted).__name__ if type(fitted).__module__.startswith("sklearn.") else ""


def _is_library(fitted: Any) -> bool:
    return type(fitted).__module__.partition(".")[0] in ("sklearn", "xgboost", "lightgbm", "catboost")


def _is_scipy(block: Any) -> bool:
    return hasattr(block, "tocsr")


def quietly(call: Callable[[], Any]) -> Any:
    """The result of a call whose warnings concern nobody: it looks at a fitted part with values made for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def dense(block: Any) -> Array:
    """A dense array of any block, a SciPy matrix among them."""
    return block.toarray() if _is_scipy(block) else as_array(block)
