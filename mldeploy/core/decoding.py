"""The text of a file that a person or another program wrote, in whatever encoding it is.

PowerShell's `>` writes UTF-16, an editor on Windows a byte order mark or the machine's own code page. Every part that
reads a list decodes it here, so that all of them read the same text. As pip decodes requirements files: byte order
mark, PEP 263 line, UTF-8; last, Latin-1.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARATION: Final = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_TEXT_ENCODINGS: Final = re.compile(r"utf|ascii|latin|iso|cp\d|windows|mac|koi|big5|gb|shift|euc|johab", re.IGNORECASE)
_LONGEST = 4
"""Bytes of a character in UTF-8: the last one of a file that is cut off may be incomplete."""


def decode_text(data: bytes) -> str:
    """The text, without a byte order mark. Never raises: what no encoding explains becomes replacement characters."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if encoding := _unmarked_utf16(data):
        return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.start > len(data) - _LONGEST:
            return data.decode("utf-8", "replace")
    return data.decode(_declared_encoding(data), "replace")


def _unmarked_utf16(data: bytes) -> str:
    """UTF-16 without a mark: every other byte of plain text is NUL."""
    start = data[:64]
    if len(start) < 4 or len(data) % 2 or b"\0" not in start:
        return ""
    if not any(start[::2]) and all(start[1::2]):
        return "utf-16-be"
    return "utf-16-le" if not any(start[1::2]) and all(start[::2]) else ""


def _declared_encoding(data: bytes) -> str:
    """The encoding that one of the first two lines names (PEP 263), else Latin-1, in which all bytes are text."""
    for line in data.split(b"\n", 2)[:2]:
        if match := _DECLARATION.match(line):
            name = match[1].decode("ascii", "replace")
            try:
                codecs.lookup(name)
            except LookupError:
                break
            return name if _TEXT_ENCODINGS.match(name) else "latin-1"
    return "latin-1"
