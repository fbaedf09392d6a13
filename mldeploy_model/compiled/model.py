"""A compiled model: columns in, predictions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mldeploy_model.compiled.blocks import Array, ColumnBlock, build_frame
from mldeploy_model.compiled.compiler import PlanCompiler
from mldeploy_model.compiled.operations import (
    CompiledEstimator,
    NotCompilableError,
    StockEstimator,
    takes_columns_by_name,
)
from mldeploy_model.formats.sklearn_columns import categorical_dtypes, takes_records, takes_texts
from mldeploy_model.predictor import PredictionInputError

if TYPE_CHECKING:
    from mldeploy_model.schema import Column


FULL, MINIMAL = "full", "minimal"
"""The image has the model's libraries, or NumPy alone."""


class ModelInputs:
    """The columns that a model takes, in its order, and the type in which each is handed on."""

    def __init__(self, names: Sequence[str], kinds: Sequence[str]) -> None:
        self.names, self.kinds = list(names), list(kinds)

    def table(self, columns: Mapping[str, Sequence[object]], rows: int) -> ColumnBlock:
        """Raises PredictionInputError if a column is missing. Columns that the model does not know are left out."""
        try:
            values = [columns[name] for name in self.names]
        except KeyError as error:
            raise PredictionInputError(f"column {error.args[0]!r} is missing", str(error.args[0])) from None
        return ColumnBlock(self.names, self.kinds, values, rows)


class CompiledModel:
    """A fitted model as a plan of array operations. Made by `compile_model`; safe to use from several threads."""

    runtime = FULL

    def __init__(self, inputs: ModelInputs, plan: CompiledEstimator, stock: Sequence[tuple[str, str]]) -> None:
        self.inputs, self.plan = inputs, plan
        self.stock_parts = tuple(stock)  # what is called as it is: (class, reason)
        classes = plan.classes
        self.classes: tuple[object, ...] = () if classes is None else tuple(np.asarray(classes).tolist())

    def predict(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[object]:
        """One value a row. Raises PredictionInputError for rows that the model refuses."""
        return _listed(self._call(self.plan.predict, columns, rows))

    def probabilities(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[Mapping[str, float]] | None:
        """One mapping a row from the class's name to its probability; None where the model has none."""
        if not self.plan.has_probabilities:
            return None
        names = [str(name) for name in self.classes]
        return [dict(zip(names, shares)) for shares in _listed(self._call(self.plan.probabilities, columns, rows))]

    def predict_array(self, columns: Mapping[str, Sequence[object]], rows: int) -> Array:
        """What the model's own `predict` returns. Raises ValueError as it does."""
        return self.plan.predict(self.inputs.table(columns, rows))

    def probability_array(self, columns: Mapping[str, Sequence[object]], rows: int) -> Any:
        """What the model's own `predict_proba` returns. Raises ValueError as it does."""
        return self.plan.probabilities(self.inputs.table(columns, rows))

    def _call(self, function: Any, columns: Mapping[str, Sequence[object]], rows: int) -> Any:
        table = self.inputs.table(columns, rows)
        if not rows:
            return []
        try:
            return function(table)
        except (ValueError, TypeError) as error:
            raise PredictionInputError(str(error)) from error


class StockModel:
    """The model's own path with the same inputs: what the compiled one is compared with."""

    def __init__(self, inputs: ModelInputs, estimator: Any) -> None:
        self.inputs, self.estimator = inputs, estimator
        self.named = takes_frame(estimator)

    def predict_array(self, columns: Mapping[str, Sequence[object]], rows: int) -> Array:
        """Raises whatever the model raises."""
        return np.asarray(self.estimator.predict(self._frame(columns, rows)))

    def probability_array(self, columns: Mapping[str, Sequence[object]], rows: int) -> Any:
        """Raises whatever the model raises."""
        return self.estimator.predict_proba(self._frame(columns, rows))

    def _frame(self, columns: Mapping[str, Sequence[object]], rows: int) -> Any:
        table = self.inputs.table(columns, rows)
        return build_frame(table) if self.named else table.array()


def takes_frame(estimator: Any) -> bool:
    """Whether the model was fitted on a DataFrame, or has a part in it that may want one."""
    if hasattr(estimator, "feature_names_in_"):
        return True
    parts = estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else ()
    return any(hasattr(part, "fit") and takes_columns_by_name(part) for part in (estimator, *parts))


def compile_model(estimator: Any, columns: Sequence[Column] | None = None) -> CompiledModel:
    """The compiled form of a fitted model. Raises NotCompilableError if nothing of it would be faster.

    `columns` say in which types values come; without them each column's values decide.
    """
    if not hasattr(estimator, "predict"):
        raise NotCompilableError(type(estimator).__name__, "it has no method predict")
    if takes_texts(estimator):
        raise NotCompilableError(type(estimator).__name__, "it takes a list of texts, not a table")
    if takes_records(estimator):
        raise NotCompilableError(type(estimator).__name__, "it takes a list of dicts, not a table")
    if categorical_dtypes(estimator, columns or ()):
        raise NotCompilableError(type(estimator).__name__, "it takes columns of pandas' dtype category")
    compiler = PlanCompiler()
    plan = compiler.estimator(estimator)
    if isinstance(plan, StockEstimator) and plan.needs_frame:
        raise NotCompilableError(*compiler.stock[0])
    return CompiledModel(model_inputs(estimator, columns), plan, compiler.stock)


def model_inputs(estimator: Any, columns: Sequence[Column] | None) -> ModelInputs:
    """The model's own names, else those of the columns in their order."""
    names = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    if not names and columns:
        names = [column.name for column in columns]
    if not names:
        names = [f"x{index}" for index in range(int(getattr(estimator, "n_features_in_", 0)))]
    if not names:
        raise NotCompilableError(type(estimator).__name__, "neither the model nor a sample says which columns it takes")
    kinds = {column.name: column_kind(column) for column in columns or ()}
    return ModelInputs(names, [kinds.get(name, "") for name in names])


def column_kind(column: Column) -> str:
    """The type of a column's array. A whole number that may be missing is a float, whether or not one is missing."""
    if column.type == "number":
        return "float"
    if column.type == "integer":
        return "float" if column.optional else "int"
    if column.type == "boolean":
        return "bool"
    types = {type(value) for value in column.categories if value is not None}
    if types and types <= {int}:
        return "float" if column.optional else "int"
    return "float" if types and types <= {int, float} else "bool" if types == {bool} else "object"


def _listed(values: Any) -> list[Any]:
    """Python's own values, which JSON can hold. Several class targets are a list of arrays: one list a row."""
    if isinstance(values, list) and values and isinstance(values[0], np.ndarray):
        return [list(row) for row in zip(*(array.tolist() for array in values))]
    return list(values.tolist() if isinstance(values, np.ndarray) else values)
