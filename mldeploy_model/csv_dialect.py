"""How a CSV file is written: its encoding, what separates its cells, and commas in its numbers.

pandas writes commas and UTF-8 (RFC 4180). Spreadsheets write what the country uses: semicolons, 0,5 for a half, UTF-16.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence

DELIMITERS = ",;\t|"
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
MISSING = frozenset({"", "na", "nan", "null", "none", "n/a"})
"""Texts in lower case that stand for a missing value."""

_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+(,\d+)?\s*")


class CsvEncodingError(ValueError):
    """A text is not UTF-8. The message says in which line, and what `remedy` does about it."""

    def __init__(self, data: bytes, at: int, name: str) -> None:
        line = data.count(b"\n", 0, at) + 1
        self.what = f"is not UTF-8 text (line {line}{_guess(data, at)})"
        self.remedy = f"Save it as UTF-8: `iconv -f WINDOWS-1252 -t UTF-8 {name} > utf8.csv`, if that is its encoding."
        super().__init__(self.what)


def decode_csv(data: bytes, name: str = "rows.csv", *, cut: bool = False) -> str:
    """Decode a file that is UTF-8, or UTF-16 with its mark. cut: the data ends anywhere. Raises CsvEncodingError."""
    if data.startswith(UTF16_MARKS):
        return data[: len(data) & ~1].decode("utf-16", errors="replace")
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(data, final=not cut)
    except UnicodeDecodeError as error:
        raise CsvEncodingError(data, error.start, name) from error


def find_delimiter(header: str) -> str:
    """Return what separates the cells of the first line."""
    return max(DELIMITERS, key=header.count)


def first_line(text: str) -> str:
    """Return the first line that is not empty."""
    return text.lstrip("\r\n").partition("\n")[0]


def find_decimal_commas(rows: Iterable[Sequence[str]], delimiter: str) -> frozenset[int]:
    """Return the columns whose numbers have a comma for a point: between semicolons, where nothing else is in them."""
    columns = zip(*rows) if delimiter == ";" else ()
    return frozenset(index for index, cells in enumerate(columns) if _has_decimal_commas(cells))


def with_decimal_points(row: Sequence[str], columns: frozenset[int]) -> tuple[str, ...]:
    """Write 0.5 for 0,5 in these columns."""
    if not columns:
        return tuple(row)
    return tuple(
        cell.replace(",", ".") if index in columns and _DECIMAL_COMMA.fullmatch(cell) else cell
        for index, cell in enumerate(row)
    )


def describe_decimal_commas(names: Sequence[str], columns: frozenset[int]) -> str:
    """Say which commas are read as decimal points; "" for none."""
    if not columns:
        return ""
    shown = [names[index] for index in sorted(columns)]
    more = ", …" if len(shown) > 5 else ""
    return f"commas in {', '.join(shown[:5])}{more} are read as decimal points (0,5 is 0.5)"


def _has_decimal_commas(cells: Sequence[str]) -> bool:
    numbers = all(_DECIMAL_COMMA.fullmatch(cell) or cell.strip().lower() in MISSING for cell in cells)
    return numbers and any("," in cell for cell in cells)


def _guess(data: bytes, at: int) -> str:
    """Show the word at this place as Windows-1252 would have it, if that makes letters of it."""
    start = max(data.rfind(end, 0, at) for end in (b"\n", b",", b";", b"\t", b" ", b'"')) + 1
    word = re.split(rb'[\r\n,;\t "]', data[start : at + 40], maxsplit=1)[0]
    text = word[:40].decode("cp1252", errors="replace")
    return f'; as Windows-1252 it reads "{text}"' if text.isprintable() and "\ufffd" not in text else ""
