"""How long the server in the container waits for clients, and how much it keeps of them: never imported by mldeploy."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from pathlib import Path
from typing import Any

MAX_HEAD = 65536
"""Bytes of a request line with all header fields, unless gunicorn's own limits are higher."""
HEAD_SECONDS = 10
"""For a request line with all header fields, from its first byte."""
BODY_SECONDS = 20
"""For a request with its body, and a second more for each BODY_RATE bytes of it that have arrived."""
BODY_RATE = 16384
READ_SECONDS = 20
"""How often a client must have read READ_RATE bytes a second of a response that waits for it."""
READ_RATE = 512
LINGER_SECONDS = 5
"""For a client to read a last response before the connection is closed, whatever it goes on sending."""
LINGER_BYTES = 2**26
"""What it may send meanwhile."""

SHARE = 4
"""What part of the memory requests may take that are read or answered."""
LEAST = 2**24

_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def body_limit(workers: int) -> int:
    """Bytes of requests in one worker, and so of the largest body. MAX_BODY_BYTES in the environment overrides it."""
    with suppress(ValueError):
        return max(0, int(os.environ["MAX_BODY_BYTES"])) if "MAX_BODY_BYTES" in os.environ else _part(workers)
    return _part(workers)


def stop_linger(interval: float, has_asked: bool) -> float:
    """Seconds that a stop waits for the next request of an idle client, whose last two were so many seconds apart.

    A client that has just connected is about to send its first one.
    """
    return min(2.0, max(0.5, 2 * interval)) if has_asked else 1.0


def has_sent(sock: Any) -> bool:
    """Whether something waits to be read: a worker that was busy may not have seen it yet."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _part(workers: int) -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _CGROUPS:
        with suppress(OSError, ValueError):
            memory = min(memory, int(Path(path).read_text(encoding="ascii")))
    return max(LEAST, memory // SHARE // max(1, workers))
