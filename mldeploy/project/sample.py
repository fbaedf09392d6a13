"""The sample of a model's input: a CSV file, read as text. The beginning of a large file is enough."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from mldeploy.core.files import UnreadableError, opened
from mldeploy.project.errors import ProjectError, printable_path
from mldeploy_model.csv_dialect import (
    MISSING,
    UTF16_MARKS,
    CsvEncodingError,
    decode_csv,
    describe_decimal_commas,
    find_decimal_commas,
    find_delimiter,
    first_line,
    with_decimal_points,
)

MAX_ROWS = 10_000
MAX_BYTES = 16 << 20
_TODO = (
    "The first line names the columns, and each further line is a row, as `DataFrame.to_csv(…, index=False)` writes."
)


Cell: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class SampleTable:
    """Rows of a model's input, as texts; at most MAX_ROWS. Every row has as many cells as there are columns.

    guess: how something in the file is read that could mean something else; "" for nothing.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    guess: str = field(default="", compare=False)

    def find(self, name: str) -> int | None:
        """Return the position of a column of the model, whose name may have blanks around it; None if there is none."""
        return next((self.columns.index(each) for each in (name, name.strip()) if each in self.columns), None)

    def typed_rows(self, types: Mapping[str, str], count: int) -> tuple[tuple[tuple[str, Cell], ...], ...]:
        """Return the first rows with the columns of these types alone, each cell as its type; None if missing."""
        order = [(name, at) for name in types if (at := self.find(name)) is not None]
        return tuple(tuple((name, parse_cell(row[at], types[name])) for name, at in order) for row in self.rows[:count])

    def to_csv(self) -> str:
        """Return it with commas, whatever the file had between the cells."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return text.getvalue()


def load_sample(folder: Path, name: str) -> SampleTable:
    """Read a CSV file below a folder, or its first MAX_ROWS rows. Raises ProjectError."""
    path = folder / name
    try:
        with opened(path) as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ProjectError(
            printable_path(path), "there is no such file", "Create it, or correct the sample."
        ) from error
    except UnreadableError as error:
        raise ProjectError(printable_path(path), error.what, "Name a CSV file.") from error
    text = _decode(path, data)
    return _parse(path, text[: text.rfind("\n") + 1] if len(data) > MAX_BYTES else text)


def parse_cell(text: str, kind: str) -> Cell:
    """Return a cell as the type of its column; as text if it is none."""
    stripped = text.strip()
    if stripped.lower() in MISSING and kind not in {"text", "category"}:
        return None
    if kind == "boolean":
        return {"true": True, "1": True, "false": False, "0": False}.get(stripped.lower(), stripped)
    try:
        number = float(stripped) if kind in {"number", "integer"} else None
    except ValueError:
        number = None
    if number is None or not math.isfinite(number):
        return stripped or None
    return int(number) if kind == "integer" and number.is_integer() else number


def read_header(folder: Path, name: str) -> tuple[str, ...]:
    """Return the columns of a CSV file; none if it is no CSV file."""
    try:
        return load_sample(folder, name).columns
    except ProjectError:
        return ()


def _decode(path: Path, data: bytes) -> str:
    if data.startswith(b"PK\x03\x04") or (b"\0" in data[:4096] and not data.startswith(UTF16_MARKS)):
        raise ProjectError(printable_path(path), "is no CSV file", "Save the rows as CSV.")
    try:
        return decode_csv(data, path.name, cut=len(data) > MAX_BYTES)
    except CsvEncodingError as error:
        raise ProjectError(printable_path(path), error.what, error.remedy) from error


def _parse(path: Path, text: str) -> SampleTable:
    delimiter = find_delimiter(first_line(text))
    try:
        rows = list(_rows(text, delimiter))
    except csv.Error as error:
        raise ProjectError(printable_path(path), f"is no CSV file: {error}", _TODO) from error
    if len(rows) < 2:
        raise ProjectError(printable_path(path), "contains no rows", _TODO)
    columns = tuple(cell.strip() for cell in rows[0])
    rows = [row[1:] for row in rows] if not columns[0] else rows  # the index that pandas writes
    columns = columns[1:] if not columns[0] else columns
    _check_columns(path, columns)
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(columns):
            what = f"row {number} has {len(row)} values for {len(columns)} columns"
            raise ProjectError(printable_path(path), what, _TODO)
    commas = find_decimal_commas(rows[1:], delimiter)
    cells = tuple(with_decimal_points(row, commas) for row in rows[1:])
    return SampleTable(columns, cells, describe_decimal_commas(columns, commas))


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    filled = (row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row)
    return itertools.islice(filled, MAX_ROWS + 1)


def _check_columns(path: Path, columns: tuple[str, ...]) -> None:
    where = printable_path(path)
    if not columns:
        raise ProjectError(where, "has no columns", _TODO)
    if "" in columns:
        raise ProjectError(where, f"column {columns.index('') + 1} has no name", _TODO)
    repeated = next((each for each in columns if columns.count(each) > 1), "")
    if repeated:
        raise ProjectError(where, f'has the column "{repeated}" twice', "Remove or rename one of them.")
    numbered = tuple(map(str, range(len(columns))))  # as pandas names the columns of an array
    if columns != numbered and all(_is_number(each) for each in columns):
        raise ProjectError(where, "has no line with the names of its columns", _TODO)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
