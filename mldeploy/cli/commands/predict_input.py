"""The request of `mldeploy predict`, from JSON, a CSV file, single fields or the golden row."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mldeploy.cli.commands.predict_route import PredictRoute
from mldeploy.cli.errors import UsageError
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.files import read_bytes
from mldeploy.core.parsing import parse_json
from mldeploy.project.golden import Json, load_golden
from mldeploy_model.csv_dialect import (
    CsvEncodingError,
    decode_csv,
    describe_decimal_commas,
    find_decimal_commas,
    find_delimiter,
    first_line,
    with_decimal_points,
)

DATA_LIMIT = 64 << 20
"""Bytes of a CSV or JSON file that is sent in one request."""


@dataclass(frozen=True)
class PredictInput:
    """The options of `predict`: the input, one kind of which may be given, and the name of a model.

    csv: a file name. fields: `NAME=VALUE` each.
    """

    data: str | None = None
    csv: str | None = None
    fields: tuple[str, ...] = ()
    model: str | None = None


@dataclass(frozen=True)
class PredictRequest:
    """The JSON to send, and the path of its route. remark: where it comes from, or how it is read, if that is a guess.

    rows: for an app without a table route, the requests to send one after the other; `body` is the list of them.
    """

    path: str
    body: Json
    remark: str = ""
    rows: tuple[Json, ...] | None = None


@dataclass(frozen=True)
class CsvTable:
    """The content of a CSV file: every row has as many cells as there are columns. guess: how commas in it are read."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Json, ...], ...]
    guess: str = ""


def read_request(given: PredictInput, project: Project) -> PredictRequest:
    """Read the input; blocks on standard input. Raises UsageError if it is missing, ambiguous or unreadable."""
    flags = {"--data": given.data is not None, "--csv": given.csv is not None, "--field": bool(given.fields)}
    chosen = [flag for flag, is_given in flags.items() if is_given]
    if len(chosen) > 1:
        raise UsageError("mldeploy predict", f"{' and '.join(chosen)} cannot be combined", "Use one of them.")
    route = PredictRoute.of(project, given.model)
    if given.data is not None:
        body = _read_json(given.data)
        is_table = isinstance(body, dict) and body.keys() >= {"columns", "data"}
        return PredictRequest((route.table if is_table else None) or route.path, body)
    if given.csv is not None:
        return _from_table(route, _read_csv(given.csv, route.texts), given.csv)
    if given.fields:
        return PredictRequest(route.path, dict(_parse_field(each, route.texts) for each in given.fields))
    return _from_golden(route, project)


_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<bare>\w+))")
_HEADER = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*(?P<value>[^\r\n]+)")


def parse_headers(texts: Iterable[str], environment: Mapping[str, str]) -> tuple[tuple[str, Secret], ...]:
    """Parse `NAME: VALUE` texts. `$NAME` in a value is that variable of the environment, so that no key is in argv.

    Raises UsageError.
    """
    headers = []
    for text in texts:
        match = _HEADER.fullmatch(text.strip())
        if match is None:
            raise UsageError("--header", "it is not NAME: VALUE", "Example: --header 'X-API-Key: $API_KEY'")
        value = _VARIABLE.sub(lambda each: _read_variable(each, environment), match["value"])
        headers.append((match["name"], Secret(value)))
    return tuple(headers)


def _read_variable(match: re.Match[str], environment: Mapping[str, str]) -> str:
    name = match["braced"] or match["bare"]
    if name not in environment:
        raise UsageError("--header", f"the environment variable {name} is not set", f"Set it: `export {name}=…`.")
    return environment[name]


def _from_golden(route: PredictRoute, project: Project) -> PredictRequest:
    if project.check.golden is None:
        raise UsageError("mldeploy predict", "there is no input and no golden row", "Use --data, --csv or --field.")
    golden = load_golden(project.check.golden)
    if route.model and golden.path not in {route.path, route.table}:
        what = f"there is no input, and the golden row is not for the model {route.model}"
        raise UsageError("mldeploy predict", what, "Use --data, --csv or --field.")
    return PredictRequest(golden.path, golden.request, "No input given. Sending the golden row's request.")


def _from_table(route: PredictRoute, table: CsvTable, name: str) -> PredictRequest:
    remark = f"{name}: {table.guess}." if table.guess else ""
    if route.table:
        body: Json = {"columns": [*table.columns], "data": [*map(list, table.rows)]}
        return PredictRequest(route.table, body, remark)
    rows: list[Json] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return PredictRequest(route.path, rows, remark, rows=tuple(rows))


def _read_json(text: str) -> Json:
    where = "--data"
    if text == "-":
        where, text = "standard input", _decode(_read_stdin(), "standard input")
    elif text.startswith("@"):
        where, text = text[1:], _decode(_read_file(text[1:]), text[1:])
    try:
        body = cast("Json", parse_json(text))
    except json.JSONDecodeError as error:
        what = f"is not valid JSON: {error.msg.lower()} (line {error.lineno}, column {error.colno})"
        raise UsageError(where, what, """Example: --data '{"age": 40, "smoker": "no"}'""") from error
    except ValueError as error:
        what = "cannot be read as JSON: it is nested too deeply, or a number has too many digits"
        raise UsageError(where, what, "Send a document with fewer levels.") from error
    return body


def _read_csv(name: str, texts: frozenset[str]) -> CsvTable:
    try:
        text = decode_csv(_read_file(name), name)
    except CsvEncodingError as error:
        raise UsageError(name, error.what, error.remedy) from error
    delimiter = find_delimiter(first_line(text))
    try:
        rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]
    except csv.Error as error:
        raise UsageError(name, f"is no CSV file: {error}", "Save the rows as CSV.") from error
    if len(rows) < 2:
        raise UsageError(name, "contains no rows", "The first line names the columns; each further line is a row.")
    columns, *data = rows
    for number, row in enumerate(data, start=2):
        if len(row) != len(columns):
            raise UsageError(name, f"row {number} has {len(row)} values for {len(columns)} columns", "")
    names = tuple(cell.strip() for cell in columns)
    commas = list_comma_columns(names, data, delimiter, texts)
    cells = (zip(names, with_decimal_points(row, commas), strict=True) for row in data)
    values = tuple(tuple(parse_cell(name, cell, texts) for name, cell in row) for row in cells)
    return CsvTable(names, values, describe_decimal_commas(names, commas))


def list_comma_columns(
    names: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str, texts: frozenset[str]
) -> frozenset[int]:
    """Return the columns whose numbers have a decimal comma; those of texts have none."""
    return frozenset(at for at in find_decimal_commas(rows, delimiter) if names[at] not in texts)


def parse_cell(name: str, text: str, texts: frozenset[str]) -> Json:
    """Parse a cell of a column; those of `texts` stay text, even if they look like numbers."""
    return (text.strip() or None) if name in texts else parse_value(text)


def _parse_field(text: str, texts: frozenset[str]) -> tuple[str, Json]:
    name, separator, content = text.partition("=")
    if not (separator and name):
        raise UsageError("--field", f"{text!r} is not NAME=VALUE", "Example: --field age=40")
    return name.strip(), parse_cell(name.strip(), content, texts)


def parse_value(text: str) -> Json:
    """Parse a cell or field: numbers, true, false and null become JSON values, an empty one null, others text."""
    stripped = text.strip()
    if not stripped:
        return None
    try:
        parsed: Json = json.loads(stripped, parse_constant=str)
    except (ValueError, RecursionError):
        return stripped
    return stripped if isinstance(parsed, str | list | dict) else parsed


def _read_file(name: str) -> bytes:
    try:
        return read_bytes(Path(name), limit=DATA_LIMIT)
    except OSError as error:
        raise UsageError(name, f"cannot be read ({error.strerror})", "Name a file of rows.") from error


def _read_stdin() -> bytes:
    data = sys.stdin.buffer.read(DATA_LIMIT + 1)
    if len(data) > DATA_LIMIT:
        raise UsageError("standard input", f"is larger than {DATA_LIMIT >> 20} MiB", "Send fewer rows at a time.")
    return data


def _decode(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(where, "is not UTF-8 text", "Save it as UTF-8.") from error
