"""The check of a table against the model's columns, one column at a time: what is wrong, what is doubtful."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mldeploy_model.schema import Column, ModelSchema, Value
from mldeploy_model.server.http import Problem, RequestError
from mldeploy_model.server.tables import SAVED_INDEX, RequestTable

MOST_PROBLEMS = 20
"""That a response lists; the first of each column."""

_INT64 = 2**63
_TRUE_TEXTS = frozenset({"true", "yes", "1", "1.0"})
_FALSE_TEXTS = frozenset({"false", "no", "0", "0.0"})


@dataclass(frozen=True)
class CheckedTable:
    """Columns that the model takes, in its order, and warnings for the response."""

    columns: Mapping[str, Sequence[Any]]
    rows: int
    warnings: tuple[Problem, ...]


class ColumnError(Exception):
    """The first value of a column that cannot be taken."""

    def __init__(self, reason: str, row: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.row = row


def check_table(table: RequestTable, schema: ModelSchema) -> CheckedTable:
    """Check every column. Raises RequestError 400 with the first problem of each."""
    if not schema.columns:
        return CheckedTable(table.columns, table.rows, ())
    problems = [*_unknown_columns(table, schema)]
    columns: dict[str, Sequence[Any]] = {}
    warnings: list[Problem] = []
    for column in schema.columns:
        try:
            columns[column.name] = _check_column(column, table)
        except ColumnError as error:  # noqa: PERF203 - one turn a column
            problems.append(Problem(error.reason, column.name, None if table.is_single else error.row))
        else:
            warnings += _bounds_warnings(column, columns[column.name], table)
    if problems:
        raise RequestError(400, *problems[:MOST_PROBLEMS])
    return CheckedTable(columns, table.rows, tuple(warnings[:MOST_PROBLEMS]))


def _unknown_columns(table: RequestTable, schema: ModelSchema) -> list[Problem]:
    names = [column.name for column in schema.columns]
    known = {*names, schema.target, *SAVED_INDEX}  # a file that the model was tested with has the target in it, too
    unknown = [name for name in table.columns if name not in known]
    return [Problem(f"the model has no such column{_nearest(name, names)}", name) for name in unknown]


def _nearest(name: str, names: Sequence[str]) -> str:
    by_lower = {each.lower(): each for each in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    if close:
        return f"; the nearest is {by_lower[close[0]]!r}"
    return f"; its columns are {', '.join(names[:12])}{', …' if len(names) > 12 else ''}"


def _check_column(column: Column, table: RequestTable) -> Sequence[Any]:
    values = table.columns.get(column.name)
    if values is None:
        if not column.optional:
            raise ColumnError(f"it is missing; {_needed(column)}")
        return [None] * table.rows
    types = set(map(type, values))
    if type(None) not in types:
        return _READERS[column.type](column, values, types, table.is_text)
    if not column.optional:
        raise ColumnError(f"it is missing; {_needed(column)}", list(values).index(None))
    present = [value for value in values if value is not None]
    try:
        read = iter(_READERS[column.type](column, present, types - {type(None)}, table.is_text))
    except ColumnError as error:
        raise ColumnError(error.reason, _row_with_missing(values, error.row)) from error
    return [None if value is None else next(read) for value in values]


def _row_with_missing(values: Sequence[Any], row: int | None) -> int | None:
    """The row of the nth value that is there."""
    present = [index for index, value in enumerate(values) if value is not None]
    return None if row is None else present[row]


def _read_numbers(column: Column, values: Sequence[Any], types: set[type], is_text: bool) -> Sequence[Any]:
    if is_text:
        values = _convert(column, values, float)
    elif not types <= {int, float}:
        raise _first_wrong(column, values, lambda value: type(value) in (int, float))
    if not _all_finite(values):
        row = next(index for index, value in enumerate(values) if not _all_finite((value,)))
        raise ColumnError("a finite number is needed, of at most 1.8e308", row)
    return values


def _all_finite(values: Sequence[Any]) -> bool:
    try:
        return all(map(math.isfinite, values))
    except OverflowError:  # an integer beyond what a float can hold
        return False


def _read_integers(column: Column, values: Sequence[Any], types: set[type], is_text: bool) -> Sequence[Any]:
    values = _read_numbers(column, values, types, is_text)
    whole = list(map(math.trunc, values)) if is_text or float in types else values
    if whole is not values and whole != list(values):
        row = next(index for index, (each, value) in enumerate(zip(whole, values)) if each != value)
        raise ColumnError(f"a whole number is needed, not {values[row]}", row)
    if whole and not (min(whole) >= -_INT64 and max(whole) < _INT64):
        row = next(index for index, value in enumerate(whole) if not -_INT64 <= value < _INT64)
        raise ColumnError("a whole number of at most 64 bits is needed", row)
    return whole


def _read_booleans(column: Column, values: Sequence[Any], types: set[type], is_text: bool) -> Sequence[Any]:
    if types <= {bool} and not is_text:
        return values
    if is_text:
        return _convert(column, values, _parse_boolean)
    if types <= {bool, int, float} and set(values) <= {0, 1}:
        return list(map(bool, values))
    raise _first_wrong(column, values, lambda value: type(value) in (bool, int, float) and value in (0, 1))


def _parse_boolean(text: str) -> bool:
    lower = text.strip().lower()
    if lower not in _TRUE_TEXTS | _FALSE_TEXTS:
        raise ValueError(text)
    return lower in _TRUE_TEXTS


def _read_texts(column: Column, values: Sequence[Any], types: set[type], _is_text: bool) -> Sequence[Any]:
    if not types <= {str}:
        raise _first_wrong(column, values, lambda value: type(value) is str)
    return values


def _read_categories(column: Column, values: Sequence[Any], types: set[type], is_text: bool) -> Sequence[Any]:
    if is_text and column.categories:
        known = {text: category for category in column.categories for text in _category_texts(category)}
        values = [known.get(value, value) for value in values]
        types = set(map(type, values))
    if not types <= {str, int, float, bool}:
        raise _first_wrong(column, values, lambda value: type(value) in (str, int, float, bool))
    known_values = set(column.categories)
    if not known_values or (set(values) <= known_values and (bool in types) == (bool in map(type, known_values))):
        return values
    has_boolean = bool in map(type, known_values)
    row = next((i for i, v in enumerate(values) if v not in known_values or (type(v) is bool) != has_boolean), None)
    if row is None:
        return values
    raise ColumnError(f"{_shown(values[row])} is not a known category; {_needed(column, str(values[row]))}", row)


def _category_texts(category: Value) -> tuple[str, ...]:
    """How a CSV file or a form may write a category: pandas writes whole numbers as 1.0 where one is missing."""
    if isinstance(category, bool):
        return str(category), str(category).lower()
    if isinstance(category, int):
        return str(category), f"{category}.0"
    if isinstance(category, float) and category.is_integer():
        return str(category), str(int(category))
    return (str(category),)


def _read_tensors(column: Column, values: Sequence[Any], types: set[type], is_text: bool) -> Sequence[Any]:
    if is_text or not types <= {list}:
        raise _first_wrong(column, values, lambda value: type(value) is list and not is_text)
    return values


def _convert(column: Column, values: Sequence[Any], convert: Callable[[str], Any]) -> Sequence[Any]:
    try:
        return list(map(convert, values))
    except ValueError:
        return [_convert_one(column, value, row, convert) for row, value in enumerate(values)]


def _convert_one(column: Column, value: str, row: int, convert: Callable[[str], Any]) -> object:
    try:
        return convert(value)
    except ValueError as error:
        raise ColumnError(f"{_needed(column)}, not {_shown(value)}", row) from error


def _first_wrong(column: Column, values: Sequence[Any], is_right: Callable[[Any], bool]) -> ColumnError:
    row = next(index for index, value in enumerate(values) if not is_right(value))
    return ColumnError(f"{_needed(column)}, not {_shown(values[row])}", row)


def _needed(column: Column, given: str = "") -> str:
    if column.type == "category" and column.categories:
        return f"{_listed(column.categories, given)}"
    words = {
        "number": "a number is needed",
        "integer": "a whole number is needed",
        "boolean": "true or false is needed",
        "text": "a text is needed",
        "category": "a text or a number is needed",
        "tensor": "a list of numbers is needed",
    }
    return words[column.type]


def _listed(categories: Sequence[object], given: str) -> str:
    texts = {str(category): category for category in categories}
    if len(texts) <= 12:
        return f"one of {', '.join(_shown(category) for category in categories)} is needed"
    close = difflib.get_close_matches(given, texts, n=3, cutoff=0.4) if given else []
    nearest = f"; the nearest are {', '.join(_shown(texts[each]) for each in close)}" if close else ""
    return f"one of {len(texts)} categories is needed, such as {_shown(categories[0])}{nearest}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = str(value) if len(str(value)) <= 60 else f"{str(value)[:60]}…"
    return f'"{text}"' if isinstance(value, str) else text


def _bounds_warnings(column: Column, values: Sequence[Any], table: RequestTable) -> list[Problem]:
    if column.type not in ("number", "integer") or (column.minimum is None and column.maximum is None):
        return []
    low = -math.inf if column.minimum is None else column.minimum
    high = math.inf if column.maximum is None else column.maximum
    present = [value for value in values if value is not None] if column.optional else values
    if not present or (min(present) >= low and max(present) <= high):
        return []
    outside = [i for i, value in enumerate(values) if value is not None and not low <= value <= high]
    bounds = f"{_bound(column.minimum)} to {_bound(column.maximum)}"
    more = f", and so are {len(outside) - 1} more rows" if len(outside) > 1 else ""
    reason = f"{_shown(values[outside[0]])} is outside of the range that the model knows, {bounds}{more}"
    return [Problem(reason, column.name, None if table.is_single else outside[0])]


def _bound(bound: float | None) -> str:
    return "…" if bound is None else f"{bound:g}"


_Reader = Callable[[Column, Sequence[Any], "set[type]", bool], Sequence[Any]]
_READERS: Mapping[str, _Reader] = {
    "number": _read_numbers,
    "integer": _read_integers,
    "boolean": _read_booleans,
    "text": _read_texts,
    "category": _read_categories,
    "tensor": _read_tensors,
}
