"""The data between two operations of a plan: named columns, a dense array, or one that stands for a sparse matrix.

The memory order of an array is part of the contract: sums of BLAS depend on it, so every array has the order that
scikit-learn would have at this point. Columns become a Fortran-ordered array, as `DataFrame.to_numpy` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
KINDS = {"number": "float", "integer": "int", "boolean": "bool", "text": "object", "category": "object"}
WIDEST_DENSE = 2000  # columns up to which a sparse result is computed as a dense one


class ColumnBlock:
    """Columns by name, as they came: `values[i]` is a list or a 1-D array. Nothing is converted before it is used.

    `whole` is the array that the columns are views of, if they are.
    """

    __slots__ = ("kinds", "names", "rows", "values", "whole")

    def __init__(
        self,
        names: Sequence[str],
        kinds: Sequence[str],
        values: Sequence[Any],
        rows: int,
        whole: Array | None = None,
    ) -> None:
        self.names, self.kinds, self.values, self.rows, self.whole = names, kinds, values, rows, whole

    def select(self, picks: Sequence[Any]) -> ColumnBlock:
        """These columns, by name or by position. Raises ValueError for a name that there is not."""
        if picks and isinstance(picks[0], str):
            missing = set(picks) - set(self.names)
            if missing:
                raise ValueError(f"columns are missing: {missing}")
            picks = [self.names.index(name) for name in picks]
        take = list(picks)
        return ColumnBlock(
            [self.names[i] for i in take], [self.kinds[i] for i in take], [self.values[i] for i in take], self.rows
        )

    def raw(self, index: int) -> Sequence[Any]:
        """The values of one column as Python objects."""
        values = self.values[index]
        return list(values.tolist()) if isinstance(values, np.ndarray) else values

    def column(self, index: int) -> Array:
        """One column as the array that a DataFrame would hold."""
        return column_array(self.kinds[index], self.values[index])

    def floats(self) -> Array:
        """All columns as float64; a missing value is NaN. Raises ValueError for a text that is no number."""
        if self.whole is not None:
            return np.asarray(self.whole, dtype=np.float64)
        return np.array(self.values, dtype=np.float64).reshape(len(self.values), self.rows).T

    def array(self) -> Array:
        """All columns in their common type: whole numbers stay whole, texts make all of them objects."""
        if self.whole is not None:
            return self.whole
        arrays = [self.column(index) for index in range(len(self.values))]
        kinds = {array.dtype.kind for array in arrays}
        if "O" in kinds or (kinds != {"b"} and "b" in kinds):
            return np.array([array.astype(object) for array in arrays], dtype=object).reshape(-1, self.rows).T
        return np.array(arrays).reshape(len(arrays), self.rows).T


class SparseBlock:
    """A matrix that scikit-learn keeps sparse, as a dense C-ordered array: for few columns that is the faster form."""

    __slots__ = ("dense",)

    def __init__(self, dense: Array) -> None:
        self.dense = dense

    def matrix(self) -> Any:
        """The matrix in SciPy's CSR form, for what computes on sparse data in an order of its own."""
        from scipy import sparse

        return sparse.csr_matrix(self.dense)


Block = Union[ColumnBlock, SparseBlock, Array]


def column_array(kind: str, values: Any) -> Array:
    """The array that a DataFrame holds for a column of this kind ("" is: see the values). A missing value is NaN."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "ifbu":
        return values.astype(np.float64) if kind == "float" else values
    kind = kind or _kind_of(values)
    if kind in ("float", "int"):
        return _number_array(values, whole=kind == "int")
    if kind == "bool" and set(map(type, values)) <= {bool}:
        return np.array(values, dtype=bool)
    return object_array(values)


def _number_array(values: Any, whole: bool) -> Array:
    """Numbers where all values are some, else the objects: whether the model refuses them is its own matter."""
    try:
        if whole and set(map(type, values)) <= {int}:
            return np.array(values)
        return np.array(values, dtype=np.float64)
    except (ValueError, TypeError):
        return object_array(values)


def object_array(values: Sequence[Any]) -> Array:
    """An array of the Python objects themselves, with NaN for None as a DataFrame of texts has it."""
    array = np.empty(len(values), dtype=object)
    array[:] = [float("nan") if value is None else value for value in values]
    return array


def _kind_of(values: Sequence[Any]) -> str:
    types = set(map(type, values))
    if types and types <= {int}:
        return "int"
    if types <= {bool}:
        return "bool"
    return "float" if types <= {int, float, type(None)} else "object"


def build_frame(table: ColumnBlock) -> Any:
    """The DataFrame with which the stock path works: the same columns in the same types."""
    import pandas as pd

    if table.whole is not None:
        return pd.DataFrame(table.whole, columns=list(table.names))
    return pd.DataFrame({name: table.column(index) for index, name in enumerate(table.names)})


def table_from(block: Any) -> Any:
    """A ColumnBlock for a DataFrame that a stock step returned; anything else as it is."""
    if not hasattr(block, "iloc"):
        return block
    names = [str(name) for name in block.columns]
    return ColumnBlock(names, [""] * len(names), [block.iloc[:, i].to_numpy() for i in range(len(names))], len(block))


def as_array(block: Block) -> Array:
    """A dense array in its own type."""
    return block.array() if isinstance(block, ColumnBlock) else block.dense if isinstance(block, SparseBlock) else block


def as_numbers(block: Block) -> Array:
    """A dense array of numbers: whole numbers and truth values stay, objects become float64."""
    if isinstance(block, ColumnBlock) and block.whole is None and {"float", "object"}.issuperset(block.kinds):
        return block.floats()
    array = as_array(block)
    return array.astype(np.float64) if array.dtype.kind in "OU" else array


def as_floats(block: Block) -> Array:
    """A dense array of float64 (or of float32, if it is one)."""
    if isinstance(block, ColumnBlock):
        return block.floats()
    array = as_array(block)
    return array if array.dtype in (np.float64, np.float32) else array.astype(np.float64)


def float_copy(block: Block) -> Array:
    """`as_floats` in memory that may be written to, in the same order. Infinity is refused, NaN is allowed."""
    array = as_floats(block)
    refuse_infinity(array)
    return np.array(array, copy=True)


def as_float32(block: Block, allow_nan: bool) -> Array:
    """The float32 array that scikit-learn's trees compare with their thresholds. Raises ValueError as it does."""
    with np.errstate(over="ignore"):
        array = as_floats(block).astype(np.float32, copy=False)
    if allow_nan:
        refuse_infinity(array)
    else:
        refuse_not_finite(array)
    return array


def refuse_infinity(array: Array) -> None:
    """Raise ValueError if infinity is among the values."""
    if array.dtype.kind == "f" and not np.isfinite(array).all() and np.isinf(array).any():
        raise ValueError("Input X contains infinity or a value too large for " + repr(array.dtype))


def refuse_not_finite(array: Array) -> None:
    """Raise ValueError if NaN or infinity is among the values."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        what = "NaN" if np.isnan(array).any() else "infinity or a value too large for " + repr(array.dtype)
        raise ValueError(f"Input X contains {what}.")


def row_values(columns: Mapping[str, Sequence[object]], index: int) -> dict[str, object]:
    """One row of columns."""
    return {name: values[index] for name, values in columns.items()}
