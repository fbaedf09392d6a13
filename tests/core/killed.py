"""A process that writes a journal is killed before each line that it would run: `python -m tests.core.killed FOLDER`.

For each n there is a child. It halts before its n-th line, tells its parent over a pipe, and is killed with SIGKILL.
What it left is in FOLDER/n, what it had been told to be done in FOLDER/n.told. The last n is that of a child that came
to its end. The children are forked, which takes a hundredth of the time of starting an interpreter.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from mldeploy.core import journal, lock
from tests.core.halting import tracer
from tests.core.journals import opened, thing

FILES = (str(journal.__file__), str(lock.__file__))
HALTED = "halted"


def live(folder: Path, tell: Callable[[str], None]) -> None:
    """A life: two deployments' worth of changes, after which nothing is left."""
    with opened(folder) as first:
        tell("open")
        for name in ("a", "b"):
            first.begin(thing(name))
            tell(f"begin {name}")
        first.forget(thing("a"))
        tell("forget a")
    tell("close")
    with opened(folder) as second:
        tell("open")
        second.begin(thing("c"))
        tell("begin c")
        for name in ("b", "c"):
            second.forget(thing(name))
            tell(f"forget {name}")
    tell("close")


def be_child(folder: Path, nth: int, pipe: int) -> None:
    def tell(text: str) -> None:
        os.write(pipe, text.encode() + b"\n")

    def halt() -> None:
        tell(HALTED)
        signal.pause()

    sys.settrace(tracer(FILES, nth, halt))
    live(folder, tell)


def kill_at(folder: Path, nth: int) -> list[str]:
    """The child's life up to its n-th line; returns what it told."""
    here, there = os.pipe()
    child = os.fork()
    if not child:
        try:
            be_child(folder, nth, there)
        finally:
            os._exit(0)  # nothing of the parent's may run here
    os.close(there)
    with os.fdopen(here) as pipe:
        lines = []
        for line in pipe:
            lines.append(line.rstrip("\n"))
            if lines[-1] == HALTED:
                os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return lines


def main(folder: Path) -> None:
    for nth in itertools.count(1):
        lines = kill_at(folder / str(nth), nth)
        (folder / f"{nth}.told").write_text("\n".join(lines))
        if HALTED not in lines:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
