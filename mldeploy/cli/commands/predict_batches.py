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

from mldeploy.cli.commands.predict_input import list_text_columns, parse_value
from mldeploy.cli.errors import UsageError
from mldeploy.config.settings import Project
from mldeploy.core.scratch import scratch_folder
from mldeploy.project.golden import Json

if TYPE_CHECKING:
    from mldeploy.core.monitor import Monitor

BATCH_ROWS = 1000
DRAFT = ".mldeploy-out-"

Send = Callable[[str, Json], Json]
"""Sends a body to a path and returns the answer."""
Cells = Sequence[str]


@dataclass(frozen=True)
class BatchResult:
    """How many rows were predicted, and the file with them."""

    rows: int
    file: str


@dataclass(frozen=True)
class BatchRequest:
    """source, out: CSV files. path: the route for tables, or for one row if `is_table` is false.

    texts: the columns whose values stay text, even if they look like numbers.
    """

    source: Path
    out: Path
    path: str
    is_table: bool
    batch: int
    texts: frozenset[str]

    @classmethod
    def of(cls, project: Project, source: str, out: str) -> BatchRequest:
        """Return the request for an app. Raises UsageError if a file cannot be read or written."""
        request, target = Path(source), Path(out)
        if target.exists() and request.exists() and target.samefile(request):
            raise UsageError("--out", "is the file of --csv", "Name another file.")
        if target.is_dir() or not target.absolute().parent.is_dir():
            raise UsageError(out, "is no file in an existing folder", "Name a file.")
        first = project.served[0] if project.served else None
        batch = min(BATCH_ROWS, first.max_rows) if first else BATCH_ROWS
        table = project.app.predict_table
        return cls(request, target, table or project.app.predict, table is not None, batch, list_text_columns(project))


def predict_batches(
    request: BatchRequest, send: Send, report: Callable[[int, int], None], monitor: Monitor
) -> BatchResult:
    """Predict the rows of a file and write them with their predictions; the file is there once all are.

    report: is called with the bytes that are done, and all of them. Raises UsageError, CancelledError, and what `send`
    raises, with the number of the first row of the batch.
    """
    total = _size(request.source)
    rows = 0
    with _open_source(request.source) as source, _draft(request.out) as target:
        reader = _read_rows(source, request.source)
        columns = tuple(cell.strip() for cell in next(reader)[1])
        writer: _Writer | None = None
        while batch := list(itertools.islice(reader, request.batch)):
            monitor.check()
            _check_width(request.source, columns, batch)
            cells = [row for _, row in batch]
            answers = _send_batch(request, send, columns, batch)
            writer = writer or _Writer.of(target, columns, answers)
            writer.write(cells, answers)
            rows += len(batch)
            report(min(source.buffer.tell(), total), total)  # type: ignore[attr-defined]  # it is a text file
        if not rows:
            raise UsageError(str(request.source), "contains no rows", "The first line names the columns.")
    return BatchResult(rows, str(request.out))


def _send_batch(
    request: BatchRequest, send: Send, columns: Cells, batch: Sequence[tuple[int, Cells]]
) -> list[Mapping[str, Json]]:
    """Return a record for each row."""
    values = [[_value(request, name, cell) for name, cell in zip(columns, row, strict=True)] for _, row in batch]
    lines = [number for number, _ in batch]
    if not request.is_table:
        rows = (dict(zip(columns, row, strict=True)) for row in values)
        return [_as_record(send(f"line {number}: ", row)) for number, row in zip(lines, rows, strict=True)]
    answer = send(f"lines {lines[0]} to {lines[-1]}: ", {"columns": list(columns), "data": values})  # type: ignore[dict-item]  # JSON in JSON
    records = _as_records(answer)
    if len(records) != len(batch):
        what = f"the app returned {len(records)} predictions for {len(batch)} rows"
        raise UsageError(request.path, what, "Let it return one prediction per row.")
    return records


def _value(request: BatchRequest, name: str, cell: str) -> Json:
    return (cell.strip() or None) if name in request.texts else parse_value(cell)


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


def _read_rows(source: IO[str], path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with the numbers of their lines. Raises UsageError."""
    reader = csv.reader(source)
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
        raise UsageError(str(path), f"cannot be read ({error.strerror})", "Name a file of rows.") from error


@contextmanager
def _open_source(path: Path) -> Iterator[IO[str]]:
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise UsageError(str(path), f"cannot be read ({error.strerror})", "Name a file of rows.") from error
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
