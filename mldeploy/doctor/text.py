"""How times and addresses stand in findings."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable


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
    return _CREDENTIALS.sub(r"\1", url)


def host(url: str) -> str:
    """ "registry.example:5000" of "https://user:password@registry.example:5000/v2/"; "" if it has none."""
    found = _HOST.match(without_credentials(url))
    return found[1] if found else ""


def is_loopback(place: str) -> bool:
    """Whether a host with or without a port, "127.0.0.1:5000", is whoever asks."""
    name = re.sub(r":\d+$", "", place).strip("[]")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


# Not urllib's: what it refuses to split must be shown and asked for, too.
_CREDENTIALS = re.compile(r"^([\w+.-]+://)[^/?#]*@")
_HOST = re.compile(r"^[\w+.-]+://([^/?#]*)")
