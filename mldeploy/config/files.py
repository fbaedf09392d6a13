"""Reading a small text file that a user names, whatever stands under that name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LIMIT = 1 << 20
"""Bytes. No configuration, env file or golden row comes near it; a model named by mistake is far beyond."""


class UnreadableError(Exception):
    """A file cannot be read as text. `what` says why, in words for the user; it never holds the file's content."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def read_text(path: Path) -> str:
    """The UTF-8 text of a regular file of at most LIMIT bytes, without a byte order mark; never waits for a writer.

    Raises FileNotFoundError if nothing is there, UnreadableError for all else.
    """
    with opened(path) as file:
        data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise UnreadableError(f"is larger than {LIMIT >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"is not UTF-8 text (line {line})") from None


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, open for reading; never waits for a writer.

    Raises FileNotFoundError if nothing is there, UnreadableError for all else, also while it is being read.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableError("is not a regular file")
            yield file
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableError(reason(error)) from error
    except ValueError as error:  # a NUL or half a surrogate pair in the name
        raise UnreadableError("is not a name that a file can have") from error


def reason(error: OSError) -> str:
    """Why the system refused, in lower case, for the middle of a sentence."""
    return f"cannot be read: {(error.strerror or str(error)).lower()}"


def _without_waiting(name: str, flags: int) -> int:
    # Opening a FIFO that nobody writes to would otherwise wait for ever. Windows has neither the flag nor the FIFO.
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
