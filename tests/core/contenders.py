"""One of several processes that all want the same journal: `python -m tests.core.contenders STATE INSIDE ROUNDS`.

It says `ready`, waits for a line, and then tries again and again. While it holds the journal it makes the file INSIDE,
which fails if another one holds it too. At the end it tells how often it got in.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mldeploy.core.errors import LockedError
from mldeploy.core.journal import Journal
from tests.core.rivals import SCOPE, thing


def contend(state: Path, inside: Path) -> bool:
    try:
        journal = Journal(state, SCOPE, "mldeploy deploy")
    except LockedError:
        os.sched_yield()
        return False
    with journal:
        inside.touch(exist_ok=False)
        if journal.resources:
            raise AssertionError(f"{journal.resources} of someone else")
        journal.begin(thing(str(os.getpid())))
        journal.forget(thing(str(os.getpid())))
        inside.unlink()
    return True


def main(state: Path, inside: Path, rounds: int) -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(str(sum(contend(state, inside) for _ in range(rounds))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
