"""A real program on a real terminal (a pty) of a given size."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

DRAWN_OVER = re.compile(r"\r\n|\r|\x1b\[[0-9]*A")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLORS = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-79]|4[0-79]|9[0-7]|38;[0-9;]+)m")


def _take_terminal() -> None:
    """In the program's process: its keys reach it, also if the tests themselves run in the background."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Terminal:
    """A program whose three streams are one terminal. `seen` is everything that it has written there."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={"TERM": "xterm-256color", "LANG": "C.UTF-8", **env},
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - no threads here yet
        )
        os.close(slave)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")  # a read may end within a character
        self.seen = ""

    @property
    def text(self) -> str:
        """What was written, without the terminal's orders: a line for each state of what was drawn over."""
        return ESCAPES.sub("", DRAWN_OVER.sub("\n", self.seen))

    def expect(self, text: str, within: float = 300) -> None:
        """Read until the text has been written; fails with everything that was, if it never is."""
        deadline = time.monotonic() + within
        while text not in self.text:
            assert self._read(deadline), f"{text!r} was never written:\n{self.text}"

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def interrupt(self) -> None:
        """Ctrl-C, as the terminal sends it."""
        self.press("\x03")

    def end(self, within: float = 300) -> int:
        """Read until the program has ended; its exit code."""
        deadline = time.monotonic() + within
        while self._read(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def _read(self, deadline: float) -> bool:
        """Wait for more; False if there will be none."""
        poll = select.poll()  # select() takes no descriptor above 1,023
        poll.register(self._master, select.POLLIN)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux: the other end is closed
            return False
        self.seen += self._decoder.decode(data)
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)
