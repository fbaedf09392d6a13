"""Tell new lines from old ones in a log that Azure returns as its last lines."""

from __future__ import annotations

from collections.abc import Sequence


def new_lines(before: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """The lines added between two reads of a log that drops its oldest lines."""
    for start in range(len(before)):
        overlap = len(before) - start
        if overlap <= len(now) and before[start:] == now[:overlap]:
            return now[overlap:]
    return now
