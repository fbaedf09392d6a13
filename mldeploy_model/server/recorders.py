"""What an input or the predictions add to the metrics. Keys are made once, since every request is counted."""

from __future__ import annotations

import math
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mldeploy_model.schema import Column, ModelSchema
from mldeploy_model.server.shared_counters import Key

_DECADES = (-1e6, -1e4, -1e3, -100.0, -10.0, -1.0, 0.0, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
_INTERVALS = 10
_MOST_CATEGORIES = 100
_MANY = 64  # rows from which NumPy counts faster


class ValueRecorder(Protocol):
    """Adds the amounts for values that are there to a list."""

    def record(self, values: Sequence[Any], amounts: list[tuple[Key, float]]) -> None: ...


class HistogramRecorder:
    """Numbers, by bucket."""

    def __init__(self, name: Key, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        texts = [f"{bound:g}" for bound in bounds] + ["+Inf"]
        self._keys = [(*name, "le", text) for text in texts]
        self._sum = (*name, "", "sum")

    def record(self, values: Sequence[Any], amounts: list[tuple[Key, float]]) -> None:
        if len(values) == 1:
            amounts.append((self._keys[bisect_left(self.bounds, values[0])], 1))
            amounts.append((self._sum, float(values[0])))
        elif values:
            amounts += [(self._keys[bucket], count) for bucket, count in _count_buckets(self.bounds, values)]
            amounts.append((self._sum, float(sum(values))))


def _count_buckets(bounds: Sequence[float], values: Sequence[Any]) -> list[tuple[int, int]]:
    numpy = sys.modules.get("numpy")  # it is there already if the model needs it
    if numpy is None or len(values) < _MANY:
        return list(Counter(bisect_left(bounds, value) for value in values).items())
    counts = numpy.bincount(numpy.searchsorted(bounds, numpy.asarray(values, dtype="float64")))
    return [(index, count) for index, count in enumerate(counts.tolist()) if count]


class CategoryRecorder:
    """Categories or classes; those beyond the known ones are counted together."""

    def __init__(self, name: Key, label: str, known: Sequence[Any]) -> None:
        self._keys: Mapping[Any, Key] = {value: (*name, label, str(value)) for value in known[:_MOST_CATEGORIES]}
        self._other = (*name, label, "other")

    def record(self, values: Sequence[Any], amounts: list[tuple[Key, float]]) -> None:
        if len(values) == 1:
            amounts.append((self._key(values[0]), 1))
            return
        try:
            counts = Counter(values)
        except TypeError:  # lists, where a model has several outputs
            amounts.append((self._other, len(values)))
            return
        amounts += [(self._key(value), count) for value, count in counts.items()]

    def _key(self, value: Any) -> Key:
        return self._keys.get(value, self._other) if value.__hash__ is not None else self._other


class ColumnRecorder:
    """One input of a model."""

    def __init__(self, schema: ModelSchema, column: Column) -> None:
        self.name = column.name
        labels = ("model", schema.name, "column", column.name)
        self._missing = ("model_input_missing_total", *labels)
        self._values = _column_values(column, labels)

    @property
    def bounds(self) -> Sequence[float]:
        return self._values.bounds if isinstance(self._values, HistogramRecorder) else ()

    def record(self, values: Sequence[Any], amounts: list[tuple[Key, float]]) -> None:
        if None in values:
            present = [value for value in values if value is not None]
            amounts.append((self._missing, len(values) - len(present)))
            values = present
        if self._values is not None and values:
            self._values.record(values, amounts)


def _column_values(column: Column, labels: Key) -> HistogramRecorder | CategoryRecorder | None:
    if column.type in ("number", "integer"):
        return HistogramRecorder(("model_input", *labels), _intervals(column.minimum, column.maximum))
    if column.categories or column.type == "boolean":
        known = column.categories or (False, True)
        return CategoryRecorder(("model_input_categories_total", *labels), "category", known)
    return None


class PredictionRecorder:
    """The predictions of a model: classes, or numbers."""

    def __init__(self, schema: ModelSchema) -> None:
        model = ("model", schema.name)
        self._histogram = HistogramRecorder(("model_prediction", *model), _target_bounds(schema))
        classes = ("model_prediction_classes_total", *model)
        self._classes = CategoryRecorder(classes, "class", schema.classes) if schema.classes else None

    @property
    def bounds(self) -> Sequence[float]:
        return self._histogram.bounds

    def record(self, values: Sequence[Any], amounts: list[tuple[Key, float]]) -> None:
        if self._classes:
            self._classes.record(values, amounts)
        elif set(map(type, values)) <= {int, float}:
            self._histogram.record([value for value in values if math.isfinite(value)], amounts)


def _target_bounds(schema: ModelSchema) -> Sequence[float]:
    """From the target's values in the sample, where it has them."""
    values = [row[schema.target] for row in schema.sample if schema.target in row]
    numbers = [float(value) for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return _intervals(min(numbers), max(numbers)) if numbers else _DECADES


def _intervals(low: float | None, high: float | None) -> Sequence[float]:
    if low is None or high is None or not low < high:
        return _DECADES
    step = (high - low) / _INTERVALS
    return tuple(sorted({float(f"{low + index * step:g}") for index in range(_INTERVALS + 1)}))
