"""Names and values from outside, as they stand in messages."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Sequence

LONGEST_QUOTE = 60
DATE = {"a date or time": None}
"""Stands for TOML's dates and times, which JSON does not have and no key is."""
UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def quoted(value: object) -> str:
    """A value as one short line that no terminal can take for a command. What a table or list holds is left out."""
    if isinstance(value, (dict, list)):
        return "a date or time" if value == DATE else "a table" if isinstance(value, dict) else "a list"
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def listed(items: Sequence[str]) -> str:
    """ "a, b and c"."""
    *others, last = items
    return f"{', '.join(others)} and {last}" if others else last


def printable(text: str) -> str:
    """The text, with everything in it escaped that a terminal could take for a command."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def dotted(path: Sequence[str | int]) -> str:
    """A path of keys and indices as users write it: ("app", "models", 0) → "app.models[0]"."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = part.isascii() and part.replace("-", "_").isidentifier()
            text += ("." if text else "") + (part if bare else quoted(part))
    return text


def nearest(name: str, known: Collection[str]) -> str:
    """ "; did you mean …?" for the known name that is nearest to `name`, or nothing."""
    match = difflib.get_close_matches(name, known, 1)
    return f'; did you mean "{match[0]}"?' if match else ""


def is_unicode(text: str) -> bool:
    """Whether the text can be written anywhere: bytes that are not UTF-8 reach us from arguments and variables."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def size(count: int) -> str:
    """Bytes as people write them: "1.5 GiB", "no limit" for 0."""
    for unit, name in UNITS:
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return f"{count} bytes" if count else "no limit"
