"""Safe reading of files in the project and state folders, whatever kind of file a path names.

mldeploy reads every complete file through this module: a named pipe cannot block a command, a device cannot fill the
memory, and a file above the size limit is refused.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LIMIT = 1 << 20
"""Bytes. No configuration, env file or golden row comes near it; a model named by mistake is far beyond."""
STATE_LIMIT = 16 << 20
"""Bytes of a file that mldeploy writes itself: a journal, records of checks."""

SAFE_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0)
"""Opening a FIFO that nobody writes to would otherwise wait for ever, and a terminal could become our own."""


class UnreadableError(OSError):
    """A file cannot be read. `what` says why, in words for the user; it never holds the file's content.

    strerror: the same text for use in brackets. Subclass of OSError, so that existing handlers of OSError catch it.
    """

    def __init__(self, what: str, short: str = "") -> None:
        super().__init__(errno.EINVAL, short or f"it {what}")
        self.what = what

    def __str__(self) -> str:
        return self.what


def read_text(path: Path, *, limit: int = LIMIT, encoding: str = "utf-8-sig", errors: str = "strict") -> str:
    """The text of a regular file of at most `limit` bytes, without a byte order mark; never waits for a writer.

    Raises FileNotFoundError if nothing is there, UnreadableError for all else.
    """
    data = read_bytes(path, limit=limit)
    try:
        return data.decode(encoding, errors)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"is not UTF-8 text (line {line})") from None


def read_bytes(path: Path, *, limit: int = LIMIT, follow: bool = True) -> bytes:
    """The content of a regular file of at most `limit` bytes; never waits for a writer.

    follow: whether it may be a symbolic link. Raises as `read_text` does.
    """
    with opened(path, follow=follow) as file:
        return _read_all(file, limit)


@contextmanager
def opened(path: Path, *, follow: bool = True) -> Iterator[BinaryIO]:
    """A regular file, open for reading; never waits for a writer.

    Raises FileNotFoundError if nothing is there, UnreadableError for all else, also while it is being read.
    """
    try:
        check_regular(path, path.stat() if follow else path.lstat())  # to open a device can have effects of its own
        flags = SAFE_FLAGS | (0 if follow else os.O_NOFOLLOW)
        with open(path, "rb", opener=lambda name, usual: os.open(name, usual | flags)) as file:
            check_regular(path, os.fstat(file.fileno()))  # it may have been replaced in between
            yield file
    except (FileNotFoundError, UnreadableError):
        raise
    except OSError as error:
        raise UnreadableError(reason(error), error.strerror or str(error)) from error
    except ValueError as error:  # a NUL or half a surrogate pair in the name
        raise UnreadableError("is not a name that a file can have") from error


def read_descriptor(file: int, *, limit: int) -> bytes:
    """The content, from its beginning, of a regular file that is open. Raises UnreadableError, OSError."""
    data = bytearray()
    while chunk := os.pread(file, min(limit + 1 - len(data), 1 << 20), len(data)):
        data += chunk
        if len(data) > limit:
            raise _too_large(limit)
    return bytes(data)


def check_regular(path: Path, info: os.stat_result) -> None:
    """Raises UnreadableError if it is not a regular file."""
    mode = info.st_mode
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise UnreadableError(reason(IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))), "is a directory")
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFLNK: "a symbolic link"}
    kind = kinds.get(stat.S_IFMT(mode), "a device")
    link = "a link to " if path.is_symlink() and not stat.S_ISLNK(mode) else ""
    raise UnreadableError(f"is not a regular file, but {link}{kind}", f"it is {link}{kind}")


def reason(error: OSError) -> str:
    """Why the system refused, in lower case, for the middle of a sentence."""
    return f"cannot be read: {(error.strerror or str(error)).lower()}"


def _read_all(file: BinaryIO, limit: int) -> bytes:
    data = bytearray()
    while chunk := file.read(min(limit + 1 - len(data), 1 << 20)):  # by pieces: the limit is memory only if it is used
        data += chunk
        if len(data) > limit:
            raise _too_large(limit)
    return bytes(data)


def _too_large(limit: int) -> UnreadableError:
    return UnreadableError(f"is larger than {limit >> 20} MiB")
