"""From columns to the arrays that libraries take, and from what they return to values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mldeploy_model.schema import Column, Value

Columns = Mapping[str, Sequence[Any]]


def as_matrix(columns: Columns, names: Sequence[str], rows: int, dtype: str) -> Any:
    """An array of rows by columns, in the order of the names; a missing value is NaN.

    Columns lie one after another in memory, as a DataFrame's do: sums then round in the same way.
    """
    import numpy as np

    matrix = np.empty((rows, len(names)), dtype=dtype, order="F")
    for index, name in enumerate(names):
        matrix[:, index] = np.array(columns[name], dtype=dtype)  # None becomes NaN
    return matrix


def as_frame(columns: Columns, described: Sequence[Column], categorical: Mapping[str, Sequence[Any]]) -> Any:
    """A DataFrame as `read_csv` would have made it. `categorical` names the categories of columns of that dtype."""
    import pandas as pd

    kinds = {column.name: column.type for column in described}
    texts = {column.name for column in described if _holds_texts(column)}
    frame = {}
    for name, values in columns.items():
        if name in categorical:
            frame[name] = pd.Categorical(values, categories=list(categorical[name]))
        elif kinds.get(name) in ("number", "integer") and None in values:
            frame[name] = as_matrix(columns, [name], len(values), "float64")[:, 0]
        else:
            frame[name] = _series_values(values, kinds.get(name, ""), name in texts)
    return pd.DataFrame(frame, columns=list(columns))


def _holds_texts(column: Column) -> bool:
    return column.type == "text" or (column.type == "category" and str in map(type, column.categories))


def _series_values(values: Sequence[Any], kind: str, holds_texts: bool) -> Any:
    import numpy as np

    if kind == "number":
        return np.array(values, dtype="float64")
    if None not in values:
        return list(values)
    present = [float("nan") if value is None else value for value in values]
    if holds_texts and all(value is None for value in values):
        return np.array(present, dtype="object")  # as where one value is a text: encoders compare it with texts
    return present


def to_values(array: Any) -> list[Any]:
    """One value a row, of Python's own types: a number or text, or a list where the model has several outputs."""
    if hasattr(array, "to_numpy"):
        array = array.to_numpy()
    if hasattr(array, "ndim") and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    values: list[Any] = array.tolist() if hasattr(array, "tolist") else list(array)
    return values


def name_probabilities(names: Sequence[Value], array: Any) -> list[dict[str, float]]:
    """One mapping a row from the class to its probability."""
    keys = [str(name) for name in names]
    return [dict(zip(keys, row)) for row in array.tolist()]


def pick_classes(classes: Sequence[Value], shares: Any) -> list[Any]:
    """The class with the highest probability in each row."""
    return [classes[index] for index in shares.argmax(axis=1).tolist()]


def with_complement(shares: Any) -> Any:
    """Two columns, from the probability of the second class alone."""
    import numpy as np

    flat = np.asarray(shares, dtype="float64").reshape(-1)
    return np.column_stack((1.0 - flat, flat))


class ScoreOutput:
    """How an array of a network or booster becomes predictions: as it is, or as classes where these are known."""

    def __init__(self, classes: Sequence[Value]) -> None:
        self.classes = tuple(classes)

    def values(self, array: Any) -> list[Any]:
        shares = self.shares(array)
        return to_values(array) if shares is None else pick_classes(self.classes, shares)

    def probabilities(self, array: Any) -> list[dict[str, float]] | None:
        shares = self.shares(array)
        return None if shares is None else name_probabilities(self.classes, shares)

    def shares(self, array: Any) -> Any:
        """Rows by classes, or None where the array does not have that shape."""
        count = len(self.classes)
        if count == 2 and (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
            return with_complement(array)
        return array if count and array.ndim == 2 and array.shape[1] == count else None
