"""How sizes, times and addresses stand in findings."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit


def size(count: int) -> str:
    """Bytes in decimal units, as disks and registries count: "950 kB", "48 MB", "1.2 GB"."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            value = count / factor
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    return f"{count} bytes"


def duration(seconds: float) -> str:
    """ "40 s", "12 min", "3 h", "2 d"."""
    seconds = abs(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def listed(items: Iterable[str]) -> str:
    """ "a, b and c"."""
    *others, last = items
    return f"{', '.join(others)} and {last}" if others else last


def without_credentials(url: str) -> str:
    """The URL without the user and the password that it may hold."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def host(url: str) -> str:
    """ "registry.example:5000" of "https://user:password@registry.example:5000/v2/"."""
    return urlsplit(url).netloc.rpartition("@")[2]
