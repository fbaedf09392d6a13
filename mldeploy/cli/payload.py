"""What `predict` sends, from what the user has at hand: JSON, a CSV file, single fields, or nothing."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from mldeploy.cli.errors import UsageError
from mldeploy.config.settings import Project
from mldeploy.project.golden import Json, load_golden


@dataclass(frozen=True)
class Input:
    """The flags of `predict`, at most one of which may be given. csv: a file's name. fields: `NAME=VALUE` each."""

    data: str | None = None
    csv: str | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Payload:
    """What is sent, and the path of the app that takes it. `golden`: it is the golden row's.

    rows: for an app that takes no table, the documents that are sent one after the other; `body` is all of them.
    """

    path: str
    body: Json
    golden: bool = False
    rows: tuple[Json, ...] | None = None


@dataclass(frozen=True)
class Table:
    """What a CSV file holds: every row has as many cells as there are columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Json, ...], ...]


def payload(given: Input, project: Project) -> Payload:
    """Read the input. Raises UsageError if it is none or more than one, or cannot be read; blocks on standard input."""
    flags = {"--data": given.data is not None, "--csv": given.csv is not None, "--field": bool(given.fields)}
    chosen = [flag for flag, is_given in flags.items() if is_given]
    if len(chosen) > 1:
        raise UsageError("mldeploy predict", f"{' and '.join(chosen)} exclude one another", "Give one of them.")
    if given.data is not None:
        return _posted(project, _from_json(given.data))
    if given.csv is not None:
        return _table(project, _from_csv(given.csv))
    if given.fields:
        return Payload(project.app.predict, dict(map(_field, given.fields)))
    if project.check.golden is None:
        raise UsageError("mldeploy predict", "there is nothing to send", "Give --data, --csv or --field.")
    golden = load_golden(project.check.golden)
    return Payload(golden.path, golden.request, golden=True)


def _posted(project: Project, body: Json) -> Payload:
    is_table = isinstance(body, dict) and body.keys() >= {"columns", "data"}
    return Payload((project.app.predict_table if is_table else None) or project.app.predict, body)


def _table(project: Project, table: Table) -> Payload:
    if project.app.predict_table:
        return Payload(project.app.predict_table, {"columns": [*table.columns], "data": [*map(list, table.rows)]})
    rows: list[Json] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return Payload(project.app.predict, rows, rows=tuple(rows))


def _from_json(text: str) -> Json:
    where = "--data"
    if text == "-":
        where, text = "standard input", _decoded(sys.stdin.buffer.read(), "standard input")
    elif text.startswith("@"):
        where, text = text[1:], _read(text[1:])
    try:
        body: Json = json.loads(text)
    except json.JSONDecodeError as error:
        what = f"is not valid JSON: {error.msg.lower()} (line {error.lineno}, column {error.colno})"
        raise UsageError(where, what, """JSON looks like '{"age": 40, "smoker": "no"}'.""") from error
    except (RecursionError, ValueError) as error:  # nested too deeply; a number of thousands of digits
        raise UsageError(where, "is not JSON that can be read", "") from error
    return body


def _from_csv(name: str) -> Table:
    rows = [row for row in csv.reader(_read(name).splitlines()) if row]
    if len(rows) < 2:
        raise UsageError(name, "holds no row", "Its first line names the columns, each further line is one row.")
    columns, *data = rows
    for number, row in enumerate(data, start=2):
        if len(row) != len(columns):
            what = f"row {number} has {len(row)} values, and there are {len(columns)} columns"
            raise UsageError(name, what, "")
    return Table(tuple(cell.strip() for cell in columns), tuple(tuple(map(value, row)) for row in data))


def _field(text: str) -> tuple[str, Json]:
    name, separator, content = text.partition("=")
    if not (separator and name):
        raise UsageError("--field", f"{text!r} is not NAME=VALUE", "Write, for example, --field age=40.")
    return name.strip(), value(content)


def value(text: str) -> Json:
    """A cell's or a field's value: a number, true, false or null where it looks like one, an empty one is null."""
    stripped = text.strip()
    if not stripped:
        return None
    try:
        parsed: Json = json.loads(stripped, parse_constant=str)
    except (ValueError, RecursionError):
        return stripped
    return stripped if isinstance(parsed, str | list | dict) else parsed


def _read(name: str) -> str:
    try:
        return _decoded(Path(name).read_bytes(), name)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name is not a file's"
        raise UsageError(name, f"cannot be read ({reason})", "") from error


def _decoded(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(where, "is not UTF-8 text", "Save it as UTF-8.") from error
