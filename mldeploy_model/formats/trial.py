"""A trial of a model that does not name its columns: it shows which column of the sample is the target."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mldeploy_model.formats.sample import SampleColumns, is_index, merge_sample
from mldeploy_model.predictor import ModelLoadError, OpenedModel
from mldeploy_model.schema import ModelDescription, ModelSchema, Value

logger = logging.getLogger("mldeploy_model")

_ROWS = 3
_MOST_CANDIDATES = 200


def find_target(opened: OpenedModel, description: ModelDescription, sample: SampleColumns) -> ModelDescription:
    """The description with the target.

    Without a number of columns, it is the last or the first column of the sample, if the model predicts rows without
    it. With one column too many in the sample, it is the column that the model predicts best from the others.
    """
    names = list(sample.columns)
    if not description.columns:
        return _find_without_width(opened, description, sample)
    if any(column.name in sample.columns for column in description.columns):
        return description
    if len(names) > len(description.columns) + 1:
        names = [name for name in names if not is_index(name)]
    if len(names) != len(description.columns) + 1:
        return description
    best, candidate = -1.0, description  # the last column is the target if no other is predicted better
    for name in names[: -_MOST_CANDIDATES - 1 : -1]:
        tried = replace(description, target=name)
        score = _score(opened, tried, sample)
        if score > best:
            best, candidate = score, tried
    return candidate


def _find_without_width(opened: OpenedModel, description: ModelDescription, sample: SampleColumns) -> ModelDescription:
    names = list(sample.columns)
    for name in dict.fromkeys((names[-1], names[0])) if len(names) > 1 else ():
        candidate = replace(description, target=name)
        if _predict(opened, merge_sample(candidate, sample), _ROWS) is not None:
            return candidate
    return description


def _score(opened: OpenedModel, description: ModelDescription, sample: SampleColumns) -> float:
    """How well the target's values in the sample are predicted.

    1 is perfect, 0 is no better than a guess, -1 says that the model does not take the other columns.
    """
    try:
        described = merge_sample(description, sample)
    except ModelLoadError:
        return -1.0
    predicted = _predict(opened, described, len(described.sample))
    if predicted is None:
        return -1.0
    pairs = [
        (row[described.target], value) for row, value in zip(described.sample, predicted) if described.target in row
    ]
    if description.task == "classification":
        return sum(_is_same(each, value) for each, value in pairs) / len(pairs) if pairs else 0.0
    return _share_explained([(a, b) for a, b in pairs if isinstance(a, (int, float)) and isinstance(b, (int, float))])


def _predict(opened: OpenedModel, described: ModelDescription, count: int) -> Sequence[object] | None:
    """The predictions of the first rows; None if the model does not take these columns."""
    schema = ModelSchema("trial", "", described.format, described.task, described.columns, classes=described.classes)
    rows = described.sample[:count]
    columns = {column.name: [row[column.name] for row in rows] for column in described.columns}
    try:
        values = opened.predictor(schema).predict(columns, len(rows))
        return values if len(values) == len(rows) else None
    except Exception as error:  # noqa: BLE001 - whatever a model raises, it does not take these columns
        logger.debug("the model does not take %s: %s", list(columns), error)
        return None


def _is_same(given: Value, predicted: object) -> bool:
    return given == predicted or str(given) == str(predicted)


def _share_explained(pairs: Iterable[tuple[float, float]]) -> float:
    """The share of the variance that the predictions explain, at least 0."""
    listed = list(pairs)
    mean = sum(given for given, _ in listed) / len(listed) if listed else 0.0
    spread = sum((given - mean) ** 2 for given, _ in listed)
    return max(0.0, 1.0 - sum((given - value) ** 2 for given, value in listed) / spread) if spread else 0.0
