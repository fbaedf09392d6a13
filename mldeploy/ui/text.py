"""How numbers, times and foreign text are written for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from mldeploy.core.redaction import redact

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
    r"|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
"""Control characters (C0, C1), and what reorders, hides or breaks a line: Unicode 16, 23.2 and UAX #9. Joiners pass
between characters beyond ASCII: emoji and several scripts need them there."""
_ASCII = str.maketrans({"…": "...", "→": "->", "\u00d7": "x", "·": "-", "\u2013": "-", "—": "-", "✓": "+", "✗": "x"})


def seconds(value: float) -> str:
    """`0.31 s`, `4.2 s`, `48 s`, `3 min 05 s`."""
    if value < 1:
        return f"{value:.2f} s"
    if value < 9.95:
        return f"{value:.1f} s"
    return elapsed(round(value))


def elapsed(value: float) -> str:
    """Whole seconds, for a number that runs: `4 s`, `1 min 05 s`."""
    whole = int(value)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def size(value: int) -> str:
    """Bytes in decimal units, as registries count: `0 B`, `18 kB`, `4.8 MB`, `547 MB`."""
    number = float(value)
    for unit in ("B", "kB", "MB"):
        if number < 999.5:
            return f"{number:.1f} {unit}" if unit != "B" and number < 9.95 else f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def age(iso: str, now: datetime | None = None) -> str:
    """How long ago an ISO 8601 moment was: `12 s ago`, `3 h ago`; the text itself if it is no such moment."""
    try:
        then = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    passed = max(0, int(((now or datetime.now(UTC)) - then).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if passed >= length * (2 if unit == "d" else 1):
            return f"{passed // length} {unit} ago"
    return f"{passed} s ago"


def printable(text: str, *, unicode: bool = True) -> str:
    """Foreign text without what a terminal would obey; `unicode=False` also writes our own marks in ASCII."""
    safe = _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)
    return safe if unicode else safe.translate(_ASCII)


def message(text: str, *, unicode: bool = True) -> str:
    """The same, and without any secret that is known: for what is written about a command."""
    return printable(redact(text), unicode=unicode)


def counted(number: int, noun: str) -> str:
    """`1 image`, `3 images`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
