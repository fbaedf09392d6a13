"""Another process with a journal, which does what it is told over a pipe, and can be killed.

As a program: `python -m tests.core.rivals FOLDER COMMAND`. It opens the journal, then obeys one line after the other.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from mldeploy.core.errors import MldeployError
from mldeploy.core.journal import Journal
from tests.core.journals import SCOPE, thing

ROOT = Path(__file__).parents[2]


class Rival:
    """The other process. `open` is what it said on opening the journal: "open", or the error."""

    def __init__(self, folder: Path, command: str) -> None:
        program = [sys.executable, "-m", "tests.core.rivals", str(folder), command]
        self._process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, bufsize=1
        )
        self.pid = self._process.pid
        self.open = self._answer()

    def tell(self, order: str) -> str:
        """`begin NAME`, `forget NAME` or `close`; returns its answer once it has obeyed."""
        assert self._process.stdin
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        return self._answer()

    def kill(self) -> None:
        """SIGKILL: it can do nothing about it."""
        self._process.kill()
        self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().rstrip("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()


def _obey(journal: Journal, order: str) -> None:
    match order.split():
        case ["begin", name]:
            journal.begin(thing(name))
        case ["forget", name]:
            journal.forget(thing(name))
        case ["close"]:
            journal.close()


def main(folder: Path, command: str) -> None:
    try:
        journal = Journal(folder, SCOPE, command)
    except MldeployError as error:
        sys.stdout.write(repr(error) + "\n")
        return
    sys.stdout.write("open\n")
    sys.stdout.flush()
    for order in sys.stdin:
        _obey(journal, order)
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
