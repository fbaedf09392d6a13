"""Which inputs a prediction depends on: each is varied over its range while the others stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mldeploy_model.schema import Column, Value
from mldeploy_model.server.model_endpoint import ModelEndpoint
from mldeploy_model.server.tables import RequestTable

_POINTS = 9
_MOST_CATEGORIES = 20
_MOST_COLUMNS = 60


@dataclass(frozen=True)
class Effect:
    """What one input alone can make of the prediction: the lowest and the highest, and the inputs that lead there."""

    column: Column
    value: Value
    low: float
    high: float
    low_at: Value
    high_at: Value

    @property
    def span(self) -> float:
        return self.high - self.low


def measure_effects(model: ModelEndpoint, row: Mapping[str, Value], request_id: str) -> tuple[float, list[Effect]]:
    """The score of the row, and the effects, the largest first; none for a prediction that is no number.

    The score is the prediction, or for a class the probability of the class that is predicted.
    """
    variants = [(column, value) for column in model.schema.columns[:_MOST_COLUMNS] for value in _values_of(column)]
    rows: list[Mapping[str, Value]] = [row, *({**row, column.name: value} for column, value in variants)]
    columns = {column.name: [each[column.name] for each in rows] for column in model.schema.columns}
    has_classes = model.schema.task == "classification"
    if has_classes and not model.schema.probabilities:
        return 0.0, []
    scores = _scores(model, RequestTable(columns, len(rows)), request_id)
    if scores is None:
        return 0.0, []
    effects = [_effect(column, row, variants, scores) for column in dict.fromkeys(column for column, _ in variants)]
    return scores[0], sorted(effects, key=lambda effect: -effect.span)


def _scores(model: ModelEndpoint, table: RequestTable, request_id: str) -> list[float] | None:
    prediction = model.predict(table, request_id, with_probabilities=model.schema.probabilities)
    if prediction.probabilities is not None:
        predicted = str(prediction.values[0])
        return [row.get(predicted, 0.0) for row in prediction.probabilities]
    numbers = [value for value in prediction.values if isinstance(value, (int, float))]
    return [float(number) for number in numbers] if len(numbers) == table.rows else None


def _effect(
    column: Column, row: Mapping[str, Value], variants: Sequence[tuple[Column, Value]], scores: Sequence[float]
) -> Effect:
    tried: list[tuple[float, Any]] = [(scores[0], row[column.name])]
    tried += [(scores[index], value) for index, (each, value) in enumerate(variants, start=1) if each is column]
    low, high = min(tried, key=lambda pair: pair[0]), max(tried, key=lambda pair: pair[0])
    return Effect(column, row[column.name], low[0], high[0], low[1], high[1])


def _values_of(column: Column) -> Sequence[Value]:
    """Values over the column's range; none where there is no range."""
    if column.type == "boolean":
        return (False, True)
    if column.type == "category":
        return column.categories[:_MOST_CATEGORIES]
    if column.type not in ("number", "integer") or column.minimum is None or column.maximum is None:
        return ()
    step = (column.maximum - column.minimum) / (_POINTS - 1)
    points = [column.minimum + index * step for index in range(_POINTS - 1)] + [column.maximum]
    return tuple(dict.fromkeys(round(point) for point in points)) if column.type == "integer" else points
