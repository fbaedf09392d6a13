"""What an app answered, as text: a table for rows, lines for one object, JSON for everything else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from mldeploy.ui.documents.service import PredictDocument
from mldeploy.ui.page import Page, Style

Table = tuple[Sequence[str], Sequence[Sequence[object]]]


def predicted(document: PredictDocument, page: Page) -> None:
    """`predict`."""
    table = _table(document.answer)
    if table is not None:
        heads, rows = table
        page.table(heads, [[_cell(value) for value in row] for row in rows])
    elif isinstance(document.answer, dict) and document.answer:
        width = max(map(len, document.answer))
        for name, value in document.answer.items():
            page.line(f"{name.ljust(width)}  ", (_cell(value), Style.STRONG))
    else:
        page.line(_cell(document.answer))


def _table(answer: object) -> Table | None:
    """The forms in which frameworks answer many rows: pandas' split, records, one list a column, a bare list."""
    if isinstance(answer, list):
        return _records(answer) or _columns({"prediction": answer})
    if not isinstance(answer, dict):
        return None
    heads, rows = answer.get("columns"), answer.get("data")
    if isinstance(heads, list) and isinstance(rows, list) and all(_fits(row, len(heads)) for row in rows):
        return [_cell(head) for head in heads], rows
    lists = {name: value for name, value in answer.items() if isinstance(value, list)}
    if len(lists) == 1 and (records := _records(next(iter(lists.values())))):
        return records
    return _columns(lists) if lists else None


def _records(items: list[object]) -> Table | None:
    if not items or not all(isinstance(item, dict) for item in items):
        return None
    records = [item for item in items if isinstance(item, dict)]
    heads = list(dict.fromkeys(name for record in records for name in record))
    return heads, [[record.get(name, "") for name in heads] for record in records]


def _columns(lists: dict[str, list[object]]) -> Table | None:
    if len({len(values) for values in lists.values()}) != 1:
        return None
    rows: Iterable[tuple[object, ...]] = zip(*lists.values(), strict=True)
    return ["row", *lists], [[number, *row] for number, row in enumerate(rows, start=1)]


def _fits(row: object, width: int) -> bool:
    return isinstance(row, list) and len(row) == width and width > 0


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
