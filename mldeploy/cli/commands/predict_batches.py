"""`mldeploy predict --csv in.csv --out out.csv`: the predictions for a large file, batch by batch."""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mldeploy.cli.commands.predict_input import list_comma_columns, parse_cell
from mldeploy.cli.commands.predict_route import PredictRoute
from mldeploy.cli.errors import UsageError
from mldeploy.core.scratch import scratch_folder
from mldeploy.project.golden import Json
from mldeploy_model.csv_dialect import (
    UTF16_MARKS,
    CsvEncodingError,
    decode_csv,
    describe_decimal_commas,
    find_delimiter,
    first_line,
    with_decimal_points,
)

if TYPE_CHECKING:
    from mldeploy.core.monitor import Monitor

HEAD_BYTES = 1 << 20
"""From which the encoding and the delimiter of a file are known."""
DRAFT = ".mldeploy-out-"

Send = Callable[[str, Json], Json]
"""Sends a body to a path and returns the answer."""
Cells = Sequence[str]


@dataclass(frozen=True)
class BatchResult:
    """How many rows were predicted, and the file with them. guess: how commas in the numbers were read."""

    rows: int
    file: str
    guess: str = ""


@dataclass(frozen=True)
class CsvHead:
    """What the beginning of a file shows of all of it."""

    encoding: str
    delimiter: str


@dataclass(frozen=True)
class BatchRequest:
    """source, out: CSV files. head: of the source."""

    source: Path
    out: Path
    route: PredictRoute
    head: CsvHead

    @classmethod
    def of(cls, route: PredictRoute, source: str, out: str) -> BatchRequest:
        """Return the request for a route. Raises UsageError if a file cannot be read or written."""
        request, target = Path(source), Path(out)
        if target.exists() and request.exists() and target.samefile(request):
            raise UsageError("--out", "is the file of --csv", "Name another file.")
        if target.is_dir() or not target.absolute().parent.is_dir():
            raise UsageError(out, "is no file in an existing folder", "Name a file.")
        return cls(request, target, route, _read_head(request))

    @property
    def path(self) -> str:
        """The path that the rows are sent to."""
        return self.route.table or self.route.path


def predict_batches(
    request: BatchRequest, send: Send, report: Callable[[int, int], None], monitor: Monitor
) -> BatchResult:
    """Predict the rows of a file and write them with their predictions; the file is there once all are.

    report: is called with the bytes that are done, and all of them. Raises UsageError, CancelledError, and what `send`
    raises, with the number of the first row of the batch.
    """
    total = _size(request.source)
    head, rows = request.head, 0
    with _open_source(request.source, head.encoding) as source, _draft(request.out) as target:
        reader = _read_rows(source, request.source, head.delimiter)
        columns = tuple(cell.strip() for cell in next(reader)[1])
        writer: _Writer | None = None
        commas: frozenset[int] = frozenset()
        while batch := list(itertools.islice(reader, request.route.batch)):
            monitor.check()
            _check_width(request.source, columns, batch)
            if writer is None:
                commas = list_comma_columns(columns, (row for _, row in batch), head.delimiter, request.route.texts)
            lines, cells = [number for number, _ in batch], [with_decimal_points(row, commas) for _, row in batch]
            answers = _send_batch(request, send, columns, cells, lines)
            writer = writer or _Writer.of(target, columns, answers)
            writer.write(cells, answers)
            rows += len(batch)
            report(min(source.buffer.tell(), total), total)  # type: ignore[attr-defined]  # it is a text file
        if not rows:
            raise UsageError(str(request.source), "contains no rows", "The first line names the columns.")
    return BatchResult(rows, str(request.out), describe_decimal_commas(columns, commas))


def _send_batch(
    request: BatchRequest, send: Send, columns: Cells, batch: Sequence[Cells], lines: Sequence[int]
) -> list[Mapping[str, Json]]:
    """Return a record for each row. lines: their numbers in the file."""
    texts = request.route.texts
    values = [[parse_cell(name, cell, texts) for name, cell in zip(columns, row, strict=True)] for row in batch]
    if request.route.table is None:
        rows = (dict(zip(columns, row, strict=True)) for row in values)
        return [_as_record(send(f"line {number}: ", row)) for number, row in zip(lines, rows, strict=True)]
    answer = send(f"lines {lines[0]} to {lines[-1]}: ", {"columns": list(columns), "data": values})  # type: ignore[dict-item]  # JSON in JSON
    records = _as_records(answer)
    if len(records) != len(batch):
        what = f"the app returned {len(records)} predictions for {len(batch)} rows"
        raise UsageError(request.path, what, "Let it return one prediction per row.")
    return records


def _as_records(answer: Json) -> list[Mapping[str, Json]]:
    """Return the rows of an answer: a list, pandas' split, or lists of the same length by name."""
    if isinstance(answer, list):
        return list(map(_as_record, answer))
    if not isinstance(answer, dict):
        return []
    names, data = answer.get("columns"), answer.get("data")
    if isinstance(names, list) and isinstance(data, list):
        return [dict(zip(map(str, names), row, strict=False)) for row in data if isinstance(row, list)]
    lists = {_singular(name): value for name, value in answer.items() if isinstance(value, list) and name != "warnings"}
    if len({len(value) for value in lists.values()}) != 1:
        return []
    if len(lists) == 1:
        return list(map(_as_record, next(iter(lists.values()))))
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _as_record(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {"prediction": value}


def _singular(name: str) -> str:
    return {"predictions": "prediction"}.get(name, name)


class _Writer:
    """Writes the rows and, after them, what the app answered; its columns are those of the first answer."""

    def __init__(self, target: IO[str], added: tuple[str, ...]) -> None:
        self.rows = csv.writer(target, lineterminator="\n")
        self.added = added

    @classmethod
    def of(cls, target: IO[str], columns: Cells, answers: Sequence[Mapping[str, Json]]) -> _Writer:
        added = tuple(_flatten(answers[0]))
        writer = cls(target, added)
        writer.rows.writerow([*columns, *(name if name not in columns else f"predicted_{name}" for name in added)])
        return writer

    def write(self, cells: Sequence[Cells], answers: Sequence[Mapping[str, Json]]) -> None:
        for row, answer in zip(cells, answers, strict=True):
            flat = _flatten(answer)
            self.rows.writerow([*row, *("" if (value := flat.get(name)) is None else value for name in self.added)])


def _flatten(answer: Mapping[str, Json]) -> dict[str, Json]:
    """Return an answer as cells: a table in it, such as the probabilities, has a column per key."""
    flat: dict[str, Json] = {}
    for name, value in answer.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{key}": inner for key, inner in value.items()}
        elif name != "warnings":
            flat[name] = value
    return flat


def _read_rows(source: IO[str], path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with the numbers of their lines. Raises UsageError."""
    reader = csv.reader(source, delimiter=delimiter)
    try:
        empty = True
        for row in reader:
            if row:
                empty = False
                yield reader.line_num, row
        if empty:
            raise UsageError(str(path), "contains no rows", "The first line names the columns.")
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(str(path), f"is no CSV file in UTF-8: {error}", "Save it as CSV in UTF-8.") from error


def _check_width(path: Path, columns: Cells, batch: Iterable[tuple[int, list[str]]]) -> None:
    for number, row in batch:
        if len(row) != len(columns):
            what = f"line {number} has {len(row)} values for {len(columns)} columns"
            raise UsageError(str(path), what, "Correct the line.")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(str(path), f"cannot be read ({error.strerror})", "Name a file of rows.")


def _read_head(path: Path) -> CsvHead:
    try:
        with path.open("rb") as file:
            data = file.read(HEAD_BYTES)
        text = decode_csv(data, str(path), cut=len(data) == HEAD_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    except CsvEncodingError as error:
        raise UsageError(str(path), error.what, error.remedy) from error
    return CsvHead("utf-16" if data.startswith(UTF16_MARKS) else "utf-8-sig", find_delimiter(first_line(text)))


@contextmanager
def _open_source(path: Path, encoding: str) -> Iterator[IO[str]]:
    try:
        file = path.open(encoding=encoding, newline="")
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        yield file


@contextmanager
def _draft(out: Path) -> Iterator[IO[str]]:
    """Open a file that gets its name at the end: after an error, what was there before is still there."""
    try:
        with scratch_folder(out.absolute().parent, DRAFT) as folder:
            draft = folder / "rows.csv"
            with draft.open("w", encoding="utf-8", newline="") as target:
                yield target
                target.flush()
                os.fsync(target.fileno())
            draft.replace(out)
    except OSError as error:
        raise UsageError(str(out), f"cannot be written ({error.strerror})", "Name another file.") from error
