"""The sample: a CSV file with rows as the model takes them, and what it adds to a model's description."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mldeploy_model.csv_dialect import (
    CsvEncodingError,
    decode_csv,
    find_decimal_commas,
    find_delimiter,
    first_line,
    with_decimal_points,
)
from mldeploy_model.predictor import ModelLoadError
from mldeploy_model.schema import Column, ModelDescription, Value

MOST_ROWS = 10_000
"""Of a sample that are read."""
MOST_BYTES = 64 << 20
KEPT_ROWS = 20
"""That go into the description."""

_MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})
_INT64 = 2**63
_TRUTH = {"true": True, "false": False}
_REMEDY = "Correct the sample, or name another one"


class SampleColumns:
    """The columns of a sample, as texts; None is a missing value."""

    def __init__(self, name: str, columns: dict[str, list[str | None]], rows: int) -> None:
        self.name, self.columns, self.rows = name, columns, rows


def read_sample(path: Path) -> SampleColumns:
    """Read a CSV file with a header. Raises ModelLoadError."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = decode_csv(data[:MOST_BYTES], path.name, cut=len(data) > MOST_BYTES)
        text = text[: text.rfind("\n") + 1] if len(data) > MOST_BYTES else text
        delimiter = find_delimiter(first_line(text))
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = [name.strip() for name in next(lines, [])]
        rows = [row for row, _ in zip((line for line in lines if line), range(MOST_ROWS))]
    except CsvEncodingError as error:
        raise ModelLoadError(f"the sample {path.name} {error.what}", error.remedy) from error
    except (OSError, csv.Error) as error:
        raise ModelLoadError(f"the sample {path.name} cannot be read: {error}", _REMEDY) from error
    if not header or not rows:
        raise ModelLoadError(f"the sample {path.name} has no header with a row below it", _REMEDY)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            what = f"line {number} of the sample {path.name} has {len(row)} values, the header {len(header)}"
            raise ModelLoadError(what, _REMEDY)
    commas = find_decimal_commas(rows, delimiter)
    points = [with_decimal_points(row, commas) for row in rows]
    columns = {name: [None if value in _MISSING else value for value in cells] for name, *cells in zip(header, *points)}
    return SampleColumns(path.name, columns, len(rows))


def merge_sample(description: ModelDescription, sample: SampleColumns | None) -> ModelDescription:
    """Add the sample's types, ranges and rows. Raises ModelLoadError for a sample that lacks a column of the model."""
    if sample is None:
        return replace(description, unknown=(*description.unknown, *_unknown_bounds(description.columns)))
    columns = description.columns
    sample = _with_names_of(columns, sample)
    if not columns or not any(column.name in sample.columns for column in columns):
        columns = _match_by_position(columns, sample, description.target)
    missing = [c.name for c in columns if c.name not in sample.columns]
    if missing:
        what = f"the sample {sample.name} has no column {missing[0]!r}, which the model takes"
        raise ModelLoadError(what, f"Add it. The sample has {', '.join(list(sample.columns)[:20])}")
    merged = tuple(_merge_column(column, sample.columns[column.name]) for column in columns)
    names = {column.name for column in columns}
    others = [name for name in sample.columns if name not in names and not is_index(name)]
    target = others[0] if len(others) == 1 else description.target
    shown = target if target in others else ""
    rows = tuple(_row(sample, merged, shown, index) for index in range(min(sample.rows, KEPT_ROWS)))
    task = _guess_task(description, sample, target)
    unknown = tuple(line for line in description.unknown if not line.startswith("columns:"))
    return replace(description, columns=merged, target=target, sample=rows, task=task, unknown=unknown)


def _with_names_of(columns: Sequence[Column], sample: SampleColumns) -> SampleColumns:
    """The sample with the blanks that the model's names have around them: `a, b` is read as "a" and " b" by pandas."""
    names = {column.name for column in columns}
    own = {name.strip(): name for name in names if name.strip() not in names}
    return SampleColumns(
        sample.name, {own.get(name, name): cells for name, cells in sample.columns.items()}, sample.rows
    )


def is_index(name: str) -> bool:
    """Whether pandas gave this name to a column without one: it is the index of a DataFrame that was saved."""
    return name.startswith("Unnamed: ")


def _guess_task(description: ModelDescription, sample: SampleColumns, target: str) -> str:
    values = [value for value in sample.columns.get(target, ()) if value is not None]
    if description.task != "other" or not values:
        return description.task
    return "regression" if any(isinstance(_parse(value), float) for value in values) else "other"


def _match_by_position(columns: Sequence[Column], sample: SampleColumns, target: str) -> tuple[Column, ...]:
    """A model without names of its own takes the sample's columns in their order; one more at the end is the target."""
    names = [name for name in sample.columns if name != target]
    if not columns:
        return tuple(Column(name) for name in names)
    if len(names) > len(columns):
        names = [name for name in names if not is_index(name)]
    if len(names) == len(columns) + 1:
        names = names[:-1]
    if len(names) != len(columns):
        what = f"the sample {sample.name} has {len(names)} columns, and the model takes {len(columns)}"
        raise ModelLoadError(what, _REMEDY)
    return tuple(replace(column, name=name) for column, name in zip(columns, names))


def _merge_column(column: Column, texts: Sequence[str | None]) -> Column:
    present = [text for text in texts if text is not None]
    values = [_parse(text) for text in present]
    optional = column.optional or len(present) < len(texts)
    if column.type == "tensor":
        return replace(column, optional=optional)
    if column.categories:
        matched = [category for text in present[:20] if (category := _find_category(column, text)) is not None]
        return replace(column, optional=optional, example=matched[0] if matched else column.categories[0])
    kind = _type_of(values, column.type)
    if kind in ("number", "integer"):
        numbers = [float(value) for value in values if isinstance(value, (int, float))]
        low, high = (min(numbers), max(numbers)) if numbers else (None, None)
        first = values[0] if values else None
        return replace(column, type=kind, minimum=low, maximum=high, optional=optional, example=first)
    example = values[0] if kind == "boolean" and values else (present[0] if present else None)
    return replace(column, type=kind, optional=optional, example=example)


def _type_of(values: Sequence[Value], known: str) -> str:
    """The sample's type, unless the model is clear about it."""
    kinds = set(map(type, values))
    if not kinds or known in ("integer", "boolean"):
        return known
    if kinds == {bool}:
        return "boolean" if known != "text" else known
    if kinds <= {int, float}:
        return known if known in ("text", "category") else ("integer" if _are_integers(values) else "number")
    return known if known == "category" else "text"


def _are_integers(values: Sequence[Value]) -> bool:
    return all(isinstance(value, int) and -_INT64 <= value < _INT64 for value in values)


def _parse(text: str) -> Value:
    if text.strip().lower() in _TRUTH:
        return _TRUTH[text.strip().lower()]
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _row(sample: SampleColumns, columns: Iterable[Column], target: str, index: int) -> dict[str, Value]:
    row = {column.name: _typed(column, sample.columns[column.name][index]) for column in columns}
    text = sample.columns[target][index] if target else None
    return row if text is None else {**row, target: _parse(text)}


def _typed(column: Column, text: str | None) -> Value:
    if text is None:
        return None
    if column.categories:
        category = _find_category(column, text)
        return text if category is None else category
    value = _parse(text)
    return text if column.type in ("text", "category") else value


def _find_category(column: Column, text: str) -> Value:
    """The category that a text of the sample stands for: 1 and 1.0 are the same."""
    by_text = next((category for category in column.categories if str(category) == text), None)
    return next((c for c in column.categories if c == _parse(text)), None) if by_text is None else by_text


def _unknown_bounds(columns: Sequence[Column]) -> tuple[str, ...]:
    names = [c.name for c in columns if c.type in ("number", "integer") and c.minimum is None and c.maximum is None]
    if not names:
        return ()
    shown = f"{', '.join(names[:8])}{', …' if len(names) > 8 else ''}"
    return (f"the ranges of {shown}: add a sample, or set model.columns.{names[0]}.minimum and maximum",)
