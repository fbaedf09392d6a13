"""Ports for what a test starts later: free now, and given to no other test meanwhile."""

from __future__ import annotations

import fcntl
import getpass
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLAIMS = Path(tempfile.gettempdir()) / f"mldeploy-test-ports-{getpass.getuser()}"
"""A file for each port. Whoever has locked it has the port, until the process ends at the latest."""
RANGE = (15000, 30000)
"""Below the ports that the system and the engine hand out by themselves."""


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that is free, and that nobody else gets from here."""
    CLAIMS.mkdir(exist_ok=True)
    while True:
        port = random.randint(*RANGE)  # noqa: S311 - to be unlikely to meet another program is all it is for
        claim = os.open(CLAIMS / str(port), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if _is_claimed(claim) and _is_free(port):
                yield port
                return
        finally:
            os.close(claim)


def _is_claimed(claim: int) -> bool:
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True
