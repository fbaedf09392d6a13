"""What a build has told so far, whichever builder tells it: progress for the user, and the words of a failure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from textwrap import shorten

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.errors import BuildError, disk_full, is_disk_full
from mldeploy.image.order import Order
from mldeploy.image.remedies import remedy

LAST_LINES = 15
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]")
_PREPARATION = re.compile(r"(?<=\bRUN )(--\S+ +)*((export|if|until|\.) [^&]* && )*")
_EXIT_CODE = re.compile(r"returned a non-zero code: (\d+)|exit code: (\d+)")


def plain(text: str) -> str:
    """The text without a terminal's escape sequences."""
    return _ANSI.sub("", text)


@dataclass
class Instruction:
    """One instruction that is being carried out. name: with its place, as the builder says it."""

    name: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))

    def say(self, text: str) -> None:
        self.lines.extend(line.rstrip() for line in text.splitlines() if line.strip())


@dataclass(frozen=True)
class Told:
    """Turns what builders say into what users read."""

    order: Order
    monitor: Monitor

    def begin(self, instruction: str, done: int, total: int) -> None:
        """An instruction begins, as it stands in the recipe; the `done`th of `total`."""
        shown = shorten(_PREPARATION.sub("", instruction, count=1), 60, placeholder=" …")
        self.monitor.progress(Progress("", shown, done, total))

    def sent(self) -> Callable[[int], None]:
        """What is to be called with the bytes of each block that is sent. It raises CancelledError after a stop."""
        total = self.order.context.size
        sent = 0

        def tell(size: int) -> None:
            nonlocal sent
            self.monitor.check()
            sent += size
            self.monitor.progress(Progress("", "Sending the files", min(sent, total), total, in_bytes=True))

        return tell

    def failure(self, instruction: Instruction, said: str) -> Exception:
        """The error of the instruction that failed. said: the builder's reason."""
        name = _PREPARATION.sub("", plain(instruction.name), count=1)
        where = self._hidden(shorten(name, 160, placeholder=" …")) or "docker build"
        everything = "\n".join((*instruction.lines, said))
        if is_disk_full(everything):
            return disk_full(where)
        exit_code = _EXIT_CODE.search(said)
        why = f"ended with code {exit_code[1] or exit_code[2]}" if exit_code else plain(said).strip()
        return BuildError(where, self._hidden("\n".join((why, *instruction.lines))), remedy(everything))

    def _hidden(self, text: str) -> str:
        """The text without the passwords that a program in the build may have printed."""
        for password in self.order.passwords:
            text = text.replace(password.reveal(), str(password))
        return text
