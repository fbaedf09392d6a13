"""Encoders of categories: one look-up a value, then one row of a table of codes.

The tables are made by calling the fitted encoder once with each of its categories, so that dropped and infrequent
categories, missing values and everything else are encoded as the installed version of scikit-learn does it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mldeploy_model.compiled.blocks import WIDEST_DENSE, Array, ColumnBlock, SparseBlock
from mldeploy_model.compiled.operations import NotCompilableError, Operation, dense, quietly, without_names

UNKNOWN = "a category that no model has: \x00\x1f\x7f"


class CategoryCodes(dict[Any, int]):
    """From a category to its code. What is not in it has the code of unknown ones, or is refused if that is None."""

    __slots__ = ("column", "missing", "unknown")

    def __init__(self, categories: Sequence[Any], unknown: int | None, column: int) -> None:
        super().__init__()
        self.missing = self.unknown = unknown
        self.column = column
        for code, category in enumerate(categories):
            if is_nan(category):
                self.missing = code
            elif category is not None:  # a missing value is NaN on every path
                self[category] = code

    def __missing__(self, value: object) -> int:
        code = self.missing if value is None or is_nan(value) else self.unknown
        if code is None:
            raise ValueError(f"Found unknown categories [{value!r}] in column {self.column} during transform")
        return code


class LookUp(Operation):
    """OneHotEncoder, OrdinalEncoder or TargetEncoder: `rows_of[i][code]` is what a category of column i becomes."""

    def __init__(
        self, codes: Sequence[CategoryCodes], rows_of: Sequence[Array], dtype: np.dtype[Any], sparse: bool
    ) -> None:
        self.codes, self.rows_of, self.dtype, self.sparse = tuple(codes), tuple(rows_of), dtype, sparse
        ends = np.cumsum([rows.shape[1] for rows in rows_of]).tolist()
        self.spans = tuple(zip([0, *ends[:-1]], ends))
        self.width = ends[-1]

    def transform(self, block: Any) -> Any:
        if isinstance(block, ColumnBlock):
            columns: list[Sequence[Any]] = [block.raw(index) for index in range(len(block.values))]
            count = block.rows
        else:
            array = dense(block)
            columns, count = array.T.tolist(), len(array)
        out = np.empty((count, self.width), dtype=self.dtype)
        for codes, rows, (start, end), values in zip(self.codes, self.rows_of, self.spans, columns):
            if count == 1:
                out[0, start:end] = rows[codes[values[0]]]
            else:
                found = np.fromiter(map(codes.__getitem__, values), dtype=np.intp, count=count)
                out[:, start:end] = rows[found]
        return SparseBlock(out) if self.sparse else out


def compile_encoder(encoder: Any) -> LookUp:
    """Raises NotCompilableError for more categories than a dense table is good for."""
    categories = [list(values) for values in encoder.categories_]
    encoder_name = type(encoder).__name__
    if sum(map(len, categories)) > WIDEST_DENSE:
        raise NotCompilableError(encoder_name, f"it has more than {WIDEST_DENSE} categories")
    fitted = without_names(encoder)
    sparse = bool(getattr(encoder, "sparse_output", False))
    known = _encode(fitted, _every_category(categories))
    widths = _widths(encoder, known.shape[1], len(categories))
    ends = np.cumsum(widths).tolist()
    codes, rows_of = [], []
    for index, (start, end) in enumerate(zip([0, *ends[:-1]], ends)):
        values = [*categories[index]]
        rows = known[: len(values), start:end]
        row = _unknown_row(fitted, categories, index)
        if row is not None:
            rows = np.vstack([rows, row[:, start:end]])
        codes.append(CategoryCodes(_plain(values), None if row is None else len(values), index))
        rows_of.append(np.ascontiguousarray(rows))
    return LookUp(codes, rows_of, known.dtype, sparse)


def _every_category(categories: Sequence[Sequence[Any]]) -> Array:
    """Rows that contain each category of each column; the last one of a column is repeated."""
    height = max(map(len, categories))
    rows = np.empty((height, len(categories)), dtype=object)
    for index, values in enumerate(categories):
        rows[:, index] = object_column([*values, *(values[-1] for _ in range(height - len(values)))])
    return rows


def object_column(values: Sequence[Any]) -> Array:
    """The objects themselves, None among them."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _unknown_row(fitted: Any, categories: Sequence[Sequence[Any]], index: int) -> Array | None:
    """What a row with an unknown category in one column becomes; None if it is refused."""
    row = [values[0] for values in categories]
    row[index] = UNKNOWN
    try:
        return _encode(fitted, object_column(row).reshape(1, -1))
    except ValueError:
        return None


def _encode(fitted: Any, rows: Array) -> Array:
    encoded = quietly(lambda: fitted.transform(rows))
    return np.asarray(encoded) if hasattr(encoded, "iloc") else dense(encoded)


def _widths(encoder: Any, width: int, columns: int) -> list[int]:
    if type(encoder).__name__ != "OneHotEncoder":
        return [width // columns] * columns
    drop = getattr(encoder, "_drop_idx_after_grouping", getattr(encoder, "drop_idx_", None))
    counted = getattr(encoder, "_n_features_outs", None)
    if counted is None:
        counted = [
            len(values) - int(drop is not None and drop[i] is not None) for i, values in enumerate(encoder.categories_)
        ]
    return [int(count) for count in counted]


def _plain(values: Sequence[Any]) -> list[Any]:
    """NumPy's scalars as Python's, which have the same hash and are what rows consist of."""
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def is_nan(value: object) -> bool:
    """Whether it is the number NaN."""
    return isinstance(value, (float, np.floating)) and math.isnan(value)
