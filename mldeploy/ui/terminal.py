"""What a stream can show: a terminal or a pipe, colours, characters outside ASCII."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Terminal:
    """A stream and its abilities. animated: lines may be drawn over; else it is a pipe, a file, a dumb terminal."""

    stream: TextIO
    animated: bool
    color: bool
    unicode: bool

    @classmethod
    def of(cls, stream: TextIO, *, color: bool = True, environment: Mapping[str, str] = os.environ) -> Terminal:
        """Standards: no-color.org, and terminfo's `dumb`."""
        animated = stream.isatty() and environment.get("TERM", "") not in {"", "dumb", "unknown"}
        colored = animated and color and not environment.get("NO_COLOR")
        return cls(stream, animated, colored, _speaks_unicode(stream, environment))


def _speaks_unicode(stream: TextIO, environment: Mapping[str, str]) -> bool:
    if not (stream.encoding or "").lower().startswith("utf"):
        return False
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or "C"
    # In the C locale Python itself writes LC_CTYPE=C.UTF-8 into its environment (PEP 538): that was not the user.
    coerced = locale == environment.get("LC_CTYPE") == "C.UTF-8" and environment.get("LANG", "C") in {"", "C", "POSIX"}
    return "utf" in locale.lower() and not coerced
