"""The request of `mldeploy predict`, from JSON, a CSV file, single fields or the golden row."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mldeploy.cli.errors import UsageError
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.files import read_bytes
from mldeploy.core.parsing import parse_json
from mldeploy.project.golden import Json, load_golden

DATA_LIMIT = 64 << 20
"""Bytes of a CSV or JSON file that is sent in one request."""


@dataclass(frozen=True)
class PredictInput:
    """The options of `predict`, at most one of which may be given. csv: a file name. fields: `NAME=VALUE` each."""

    data: str | None = None
    csv: str | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class PredictRequest:
    """The JSON to send, and the path of its route. golden: it is the golden row's request.

    rows: for an app without a table route, the requests to send one after the other; `body` is the list of them.
    """

    path: str
    body: Json
    golden: bool = False
    rows: tuple[Json, ...] | None = None


@dataclass(frozen=True)
class CsvTable:
    """The content of a CSV file: every row has as many cells as there are columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Json, ...], ...]


def read_request(given: PredictInput, project: Project) -> PredictRequest:
    """Read the input; blocks on standard input. Raises UsageError if it is missing, ambiguous or unreadable."""
    flags = {"--data": given.data is not None, "--csv": given.csv is not None, "--field": bool(given.fields)}
    chosen = [flag for flag, is_given in flags.items() if is_given]
    if len(chosen) > 1:
        raise UsageError("mldeploy predict", f"{' and '.join(chosen)} cannot be combined", "Use one of them.")
    if given.data is not None:
        return _from_body(project, _read_json(given.data))
    if given.csv is not None:
        return _from_table(project, _read_csv(given.csv, list_text_columns(project)))
    if given.fields:
        texts = list_text_columns(project)
        return PredictRequest(project.app.predict, dict(_parse_field(each, texts) for each in given.fields))
    if project.check.golden is None:
        raise UsageError("mldeploy predict", "there is no input and no golden row", "Use --data, --csv or --field.")
    golden = load_golden(project.check.golden)
    return PredictRequest(golden.path, golden.request, golden=True)


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


def list_text_columns(project: Project) -> frozenset[str]:
    """Return the columns whose values stay text, even if they look like numbers: as far as the types are known."""
    columns = project.served[0].columns if project.served else ()
    texts = (each.type == "text" or (each.categories and isinstance(each.categories[0], str)) for each in columns)
    return frozenset(each.name for each, is_text in zip(columns, texts, strict=True) if is_text)


def _from_body(project: Project, body: Json) -> PredictRequest:
    is_table = isinstance(body, dict) and body.keys() >= {"columns", "data"}
    return PredictRequest((project.app.predict_table if is_table else None) or project.app.predict, body)


def _from_table(project: Project, table: CsvTable) -> PredictRequest:
    if project.app.predict_table:
        body: Json = {"columns": [*table.columns], "data": [*map(list, table.rows)]}
        return PredictRequest(project.app.predict_table, body)
    rows: list[Json] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return PredictRequest(project.app.predict, rows, rows=tuple(rows))


def _read_json(text: str) -> Json:
    where = "--data"
    if text == "-":
        where, text = "standard input", _decode(_read_stdin(), "standard input")
    elif text.startswith("@"):
        where, text = text[1:], _read_file(text[1:])
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
    rows = [row for row in csv.reader(_read_file(name).splitlines()) if row]
    if len(rows) < 2:
        raise UsageError(name, "contains no rows", "The first line names the columns; each further line is a row.")
    columns, *data = rows
    for number, row in enumerate(data, start=2):
        if len(row) != len(columns):
            raise UsageError(name, f"row {number} has {len(row)} values for {len(columns)} columns", "")
    names = tuple(cell.strip() for cell in columns)
    return CsvTable(
        names,
        tuple(tuple(_parse_cell(name, cell, texts) for name, cell in zip(names, row, strict=True)) for row in data),
    )


def _parse_cell(name: str, text: str, texts: frozenset[str]) -> Json:
    return (text.strip() or None) if name in texts else parse_value(text)


def _parse_field(text: str, texts: frozenset[str]) -> tuple[str, Json]:
    name, separator, content = text.partition("=")
    if not (separator and name):
        raise UsageError("--field", f"{text!r} is not NAME=VALUE", "Example: --field age=40")
    return name.strip(), _parse_cell(name.strip(), content, texts)


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


def _read_file(name: str) -> str:
    try:
        return _decode(read_bytes(Path(name), limit=DATA_LIMIT), name)
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
