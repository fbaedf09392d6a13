"""One command at a time for one app and target.

The lock is the kernel's (flock): it ends with the process, however the process ends. What is written in the file only
tells others who holds it, and the next holder that its predecessor did not finish.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import json
import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from mldeploy.core.errors import LockedError, StateError
from mldeploy.core.files import SAFE_FLAGS, UnreadableError, check_regular
from mldeploy.core.parsing import parse_json

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | SAFE_FLAGS
_NOTE_LIMIT = 65536
_UNWRITABLE = (errno.EROFS, errno.ENOSPC, errno.EDQUOT)
_RIVALS = 100
"""So many holders in a row may take the folder away from us before we call it an error."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, since when (UTC, ISO 8601), and for which command."""

    user: str
    host: str
    pid: int
    command: str
    since: str

    @classmethod
    def me(cls, command: str) -> Holder:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(_user(), socket.gethostname(), os.getpid(), command, now)

    @classmethod
    def parse(cls, note: bytes) -> Holder | None:
        """Who a lock's note names; None if nobody, or if the writer died while writing."""
        try:
            document = parse_json(note)
            return cls(**document) if isinstance(document, dict) else None
        except (ValueError, TypeError):
            return None

    def __str__(self) -> str:
        return f"`{self.command}` of {self.user}@{self.host} (process {self.pid}, since {self.since})"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's numeric user has no name
        return str(os.getuid())


class Lock:
    """An exclusive lock on a path, held from construction to `release`. Blocks never.

    `predecessor` is the holder that died without releasing it, if there was one. Raises LockedError while another
    process holds it, StateError if the file cannot be made or opened.
    """

    def __init__(self, path: Path, command: str) -> None:
        self.path = path
        self._file = -1
        try:
            self._file = _acquire(path)
            self.predecessor = _read(self._file)
            with contextlib.suppress(OSError):  # a full disk: the note only informs, and the lock is the kernel's
                self._write(Holder.me(command))
        except OSError as error:
            self._close()
            what = f"cannot be locked ({error.strerror})"
            damaged = isinstance(error, UnreadableError)
            todo = "It is not a lock of mldeploy's: move it away." if damaged else "Check the disk and its permissions."
            raise StateError(str(path), what, todo) from error

    @property
    def is_held(self) -> bool:
        return self._file >= 0

    def release(self, *, remove: bool = False) -> None:
        """Give the lock back; with `remove`, leave no file behind. May be repeated."""
        if not self.is_held:
            return
        with contextlib.suppress(OSError):  # a note that stays misleads nobody for long: the lock itself is free
            if remove:
                self.path.unlink()
            else:
                os.ftruncate(self._file, 0)
        self._close()

    def _write(self, holder: Holder) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(asdict(holder)).encode(), 0)

    def _close(self) -> None:
        if self.is_held:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def _acquire(path: Path) -> int:
    while True:
        file = _open(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(file, path):
                return file
        except BlockingIOError:
            holder = _read(file)
            os.close(file)
            raise LockedError(
                str(path),
                f"another command works on this app and target: {holder or 'it is just starting'}",
                "Wait for it to end, or stop it, and try again.",
            ) from None
        except OSError:
            os.close(file)
            raise
        os.close(file)  # the holder before us removed the file: what we locked has no name any more


def _open(path: Path) -> int:
    """Open the file, made with its folder if need be.

    A holder that leaves nothing behind takes the empty folder with it, also between our making the folder and using it.
    """
    for _ in range(_RIVALS):
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return _open_regular(path)
    return _open_regular(path)


def _open_regular(path: Path) -> int:
    """Raises OSError, also if it is a link or no regular file: to write there could harm what is not ours."""
    with contextlib.suppress(FileNotFoundError):
        check_regular(path, path.lstat())
    try:
        file = os.open(path, _FLAGS, 0o600)
    except OSError as error:
        if error.errno not in _UNWRITABLE or not path.exists():
            raise
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | SAFE_FLAGS)  # the kernel locks what is only read, too
    try:
        check_regular(path, os.fstat(file))
    except OSError:
        os.close(file)
        raise
    return file


def _is_still(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _read(file: int) -> Holder | None:
    """Who is written in the file; None if nobody, or if the writer died while writing."""
    return Holder.parse(os.pread(file, _NOTE_LIMIT, 0))
