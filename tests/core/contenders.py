"""One of several processes that all want the same journal: `python -m tests.core.contenders STATE INSIDE TIMES`.

It says `ready`, waits for a line, and then tries until it got in so many times. While it holds the journal it makes the
file INSIDE, which fails if another one holds it too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mldeploy.core.errors import LockedError
from mldeploy.core.journal import Journal
from tests.core.journals import opened, thing


def get_in(state: Path) -> Journal:
    while True:
        try:
            return opened(state)
        except LockedError:
            os.sched_yield()


def hold(state: Path, inside: Path) -> None:
    with get_in(state) as journal:
        inside.touch(exist_ok=False)
        if journal.resources:
            raise AssertionError(f"{journal.resources} of someone else")
        journal.begin(thing(str(os.getpid())))
        journal.forget(thing(str(os.getpid())))
        inside.unlink()


def main(state: Path, inside: Path, times: int) -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for _ in range(times):
        hold(state, inside)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
