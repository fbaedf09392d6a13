"""Waiting for sockets, however many a process has open."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable


def readable(sockets: Iterable[socket.socket], seconds: float | None = None) -> list[socket.socket]:
    """Those from which something can be read, its end included; waits up to so long for the first one.

    seconds: None: for ever. `select` would not do: it refuses every socket whose number is above 1023.
    """
    poll, known = select.poll(), {each.fileno(): each for each in sockets}
    for number in known:
        poll.register(number, select.POLLIN)
    return [known[number] for number, _ in poll.poll(None if seconds is None else seconds * 1000)]
