"""The forms in which rows arrive, each turned into columns: the model and the checks work column by column."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from mldeploy_model.csv_dialect import find_delimiter, first_line
from mldeploy_model.schema import Column, ModelSchema
from mldeploy_model.server.http import Problem, RequestError

SAVED_INDEX = frozenset({"", "Unnamed: 0"})
"""The names of the index that pandas saves: none, and the one that pandas reads it with."""
MISSING_TEXTS = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})  # as pandas reads a CSV file

_WRAPPERS = ("dataframe_split", "dataframe_records", "instances", "inputs")


@dataclass(frozen=True)
class RequestTable:
    """Rows as columns. Values are unchecked; None is a missing one. `is_single`: the client sent one bare object."""

    columns: Mapping[str, Sequence[Any]]
    rows: int
    is_single: bool = False
    is_text: bool = False  # every value is a text, as in a CSV file


def read_document(document: object, schema: ModelSchema) -> RequestTable:
    """Rows of a parsed JSON body, in any of the forms. Raises RequestError 400 or 413."""
    if isinstance(document, list):
        return _read_rows(document, schema)
    if not isinstance(document, dict):
        raise _not_rows()
    names = {column.name for column in schema.columns}
    wrapper = next((key for key in _WRAPPERS if key in document and key not in names), None)
    if wrapper:
        return _read_wrapped(wrapper, document, schema)
    if {"columns", "data"} <= set(document) and not {"columns", "data"} & names:
        return _read_split(document, schema, "")
    return RequestTable({name: [value] for name, value in document.items()}, 1, is_single=True)


def read_csv(text: str, schema: ModelSchema) -> RequestTable:
    """Rows of a CSV text with a header line (RFC 4180, or with semicolons or tabs). Raises RequestError 400 or 413."""
    try:
        delimiter = _find_delimiter(first_line(text), schema)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = next(reader, [])
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise RequestError(400, Problem(f"the body is not CSV: {error}")) from error
    if not header:
        raise RequestError(400, Problem("the body is empty; send a header line and one line a row"))
    header = _name_columns(header, schema)
    _check_widths(header, rows, "the line has {} values, the header {}")
    columns = {name: [_missing_or(value) for value in values] for name, values in _transpose(header, rows).items()}
    return _limited(RequestTable(columns, len(rows), is_text=True), schema)


def _find_delimiter(header: str, schema: ModelSchema) -> str:
    """A comma, unless it makes no column of the model's."""
    names = {column.name.strip() for column in schema.columns}
    cells = next(csv.reader([header]), [])
    return "," if any(cell.strip() in names for cell in cells) else find_delimiter(header)


def _name_columns(header: Sequence[str], schema: ModelSchema) -> list[str]:
    """The names without blanks around them, unless the model's own have some."""
    stripped = {column.name.strip(): column.name for column in schema.columns}
    exact = {column.name for column in schema.columns}
    return [name if name in exact else stripped.get(name.strip(), name.strip()) for name in header]


def _missing_or(value: str) -> str | None:
    return None if value in MISSING_TEXTS else value


def _read_wrapped(key: str, document: Mapping[str, Any], schema: ModelSchema) -> RequestTable:
    allowed = {key, "params", "parameters", "id", "signature_name"}
    if unknown := sorted(set(document) - allowed):
        raise RequestError(400, Problem(f"unknown key beside {key!r}; only the rows are expected there", unknown[0]))
    if document.get("params"):
        raise RequestError(400, Problem("this model takes no parameters", "params"))
    content = document[key]
    if key == "dataframe_split":
        if not isinstance(content, dict):
            raise RequestError(400, Problem('an object {"columns": […], "data": [[…], …]} is needed', key))
        return _read_split(content, schema, f"{key}.")
    if key == "inputs" and isinstance(content, dict):
        return _read_columns(content, schema)
    if not isinstance(content, list):
        raise RequestError(400, Problem("a list of rows is needed", key))
    return _read_rows(content, schema)


def _read_columns(content: Mapping[str, Any], schema: ModelSchema) -> RequestTable:
    """`inputs` with one list for each column, or one value each for a single row."""
    if not any(isinstance(values, list) for values in content.values()):
        return RequestTable({name: [value] for name, value in content.items()}, 1)
    for name, values in content.items():
        if not isinstance(values, list):
            raise RequestError(400, Problem("a list with one value a row is needed, as for the other columns", name))
    lengths = {name: len(values) for name, values in content.items()}
    rows = next(iter(lengths.values()), 0)
    for name, length in lengths.items():
        if length != rows:
            raise RequestError(400, Problem(f"it has {length} values, and {next(iter(lengths))} has {rows}", name))
    return _limited(RequestTable(content, rows), schema)


def _read_split(content: Mapping[str, Any], schema: ModelSchema, prefix: str) -> RequestTable:
    if unknown := sorted(set(content) - {"columns", "data", "index"}):
        raise RequestError(400, Problem('unknown key; the keys are "columns" and "data"', f"{prefix}{unknown[0]}"))
    names, rows = content.get("columns", [column.name for column in schema.columns]), content.get("data")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise RequestError(400, Problem("a list with the names of the columns is needed", f"{prefix}columns"))
    if not isinstance(rows, list) or not set(map(type, rows)) <= {list}:
        raise RequestError(400, Problem("a list of rows is needed, each a list of values", f"{prefix}data"))
    _check_widths(names, rows, "the row has {} values, `columns` {}")
    return _limited(RequestTable(_transpose(names, rows), len(rows)), schema)


def _read_rows(rows: list[Any], schema: ModelSchema) -> RequestTable:
    """Objects, lists in the order of the model's columns, or bare values for a model with one column."""
    kinds = set(map(type, rows))
    if kinds <= {dict}:
        return _limited(RequestTable(_columns_of(rows), len(rows)), schema)
    names = [column.name for column in schema.columns]
    if names and _takes_bare_values(schema.columns, kinds):
        return _limited(RequestTable({names[0]: rows}, len(rows)), schema)
    if names and kinds == {list}:
        _check_widths(names, rows, "the row has {} values, the model {} columns")
        return _limited(RequestTable(_transpose(names, rows), len(rows)), schema)
    if dict in kinds:
        number = next(index for index, row in enumerate(rows) if not isinstance(row, dict))
        raise RequestError(400, Problem("every row must be an object, as the others are", row=number))
    raise _not_rows()


def _takes_bare_values(columns: Sequence[Column], kinds: set[type]) -> bool:
    if len(columns) != 1:
        return False
    return columns[0].type == "tensor" or not kinds & {dict, list}


def _columns_of(rows: list[dict[str, Any]]) -> dict[str, Sequence[Any]]:
    """Columns of row objects. A key that a row lacks is a missing value there."""
    if not rows:
        return {}
    try:
        if len(set(map(len, rows))) == 1:
            return {name: list(map(itemgetter(name), rows)) for name in rows[0]}
    except KeyError:
        pass  # the rows have different keys
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _transpose(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    if len(set(names)) < len(names):
        repeated = next(name for name in names if list(names).count(name) > 1)
        raise RequestError(400, Problem("the column is there more than once", repeated))
    return dict(zip(names, map(list, zip(*rows)))) if rows else {name: [] for name in names}


def _check_widths(names: Sequence[str], rows: Sequence[Sequence[Any]], text: str) -> None:
    if set(map(len, rows)) - {len(names)}:
        number, row = next((index, row) for index, row in enumerate(rows) if len(row) != len(names))
        raise RequestError(400, Problem(text.format(len(row), len(names)), row=number))


def _limited(table: RequestTable, schema: ModelSchema) -> RequestTable:
    if not table.rows:
        raise RequestError(400, Problem("there is no row in the request"))
    if table.rows > schema.max_rows:
        reason = f"the request has {table.rows} rows, and at most {schema.max_rows} are allowed; send several requests"
        raise RequestError(413, Problem(reason))
    return table


def _not_rows() -> RequestError:
    return RequestError(
        400,
        Problem('send one object, a list of objects, {"columns": […], "data": [[…], …]}, or one of MLflow\'s forms'),
    )
