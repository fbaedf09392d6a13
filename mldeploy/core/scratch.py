"""Files and folders that live as long as one command, and what happens to them when it is killed.

Nothing can be removed by a process that got SIGKILL. So each folder holds a file that its process has locked (flock),
which the kernel unlocks however the process ends; `sweep` removes the folders whose lock is free. What must not reach
a disk at all goes into `private_file`.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

PREFIX = "mldeploy-"
OWNER = ".mldeploy-owner"
"""The locked file in each folder."""
_UNOWNED_SECONDS = 24 * 3600.0
"""The age at which a folder of ours without an owner's file is removed: its process may not have made the file yet."""
_MEMORY = Path("/dev/shm")  # noqa: S108 - earlier versions kept a build's passwords in it
_DRAFT = ".mldeploy-"


@contextmanager
def scratch_folder(parent: Path | None = None, prefix: str = PREFIX) -> Iterator[Path]:
    """A new folder that only this user can read, removed afterwards. parent: TMPDIR if not given. Raises OSError."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent or _temporary(), ignore_cleanup_errors=True) as name:
        owner = os.open(Path(name, OWNER), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(owner, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(owner)


@cache
def process_folder() -> Path:
    """One such folder for the whole process, for files that a library keeps open to itself. Raises OSError."""
    stack = ExitStack()
    folder = stack.enter_context(scratch_folder())
    atexit.register(stack.close)
    return folder


@contextmanager
def private_file(content: bytes) -> Iterator[str]:
    """A path at which this process, and its children while they run, can read the content.

    On Linux it is anonymous memory, which ends with the process. Elsewhere it is a file in a `scratch_folder`.
    """
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").exists():
        file = os.memfd_create("mldeploy")
        try:
            with os.fdopen(os.dup(file), "wb") as copy:
                copy.write(content)
            yield f"/proc/{os.getpid()}/fd/{file}"
        finally:
            os.close(file)
        return
    with scratch_folder() as folder:
        path = folder / "content"
        path.touch(mode=0o600)
        path.write_bytes(content)
        yield str(path)


def replace_file(path: Path, content: str) -> None:
    """Write a file that only its owner can read, all of it or nothing, and return. Raises OSError.

    A draft that a killed process left beside it is removed.
    """
    for draft in _named(path.parent, f".{path.name}{_DRAFT}"):
        _remove_draft(draft)
    while True:
        file, name = tempfile.mkstemp(prefix=f".{path.name}{_DRAFT}", dir=path.parent)
        draft = Path(name)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            if not (_lock(file) and _is_still(file, draft)):
                continue  # another process took it for a dead one's
            try:
                stream.write(content)
                stream.flush()
                draft.replace(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            return


def remove_file(path: Path) -> bool:
    """Remove a file of `replace_file`, and its drafts; True if the file was there. Raises OSError."""
    for draft in _named(path.parent, f".{path.name}{_DRAFT}"):
        _remove_draft(draft)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def sweep(parent: Path | None = None, prefix: str = PREFIX) -> tuple[Path, ...]:
    """Remove what killed processes of this user left in `parent` (TMPDIR if not given); what was removed.

    A folder of another user, a link, or one whose process lives is left alone. May be repeated; raises nothing.
    """
    swept = []
    for path in leftovers(parent, prefix):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
        if not path.exists():
            swept.append(path)
    return tuple(swept)


def leftovers(parent: Path | None = None, prefix: str = PREFIX) -> tuple[Path, ...]:
    """What `sweep` would remove."""
    folder = parent or _temporary()
    dead = [path for path in _named(folder, prefix) if _is_dead(path)]
    if parent is None:
        dead += [path for path in _named(_MEMORY, prefix) if _is_unused_file(path)]
    return tuple(sorted(dead))


def _temporary() -> Path:
    """TMPDIR as it is now; Python remembers what it was at first."""
    named = os.environ.get("TMPDIR", "")
    is_usable = Path(named).is_dir() and os.access(named, os.W_OK | os.X_OK)
    return Path(named) if named and is_usable else Path(tempfile.gettempdir())


def _named(folder: Path, prefix: str) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.name.startswith(prefix)]
    except OSError:
        return []


def _is_dead(path: Path) -> bool:
    """A folder of this user's whose process has ended."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        about = os.fstat(folder)
        if about.st_uid != os.geteuid():
            return False
        owner = _open_owner(folder)
        if owner is None:
            return _is_ours_unowned(path, about)
        try:
            return _lock(owner)
        finally:
            os.close(owner)
    finally:
        os.close(folder)


def _open_owner(folder: int) -> int | None:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        file = os.open(OWNER, flags, dir_fd=folder)
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)
    return None


def _is_ours_unowned(path: Path, about: os.stat_result) -> bool:
    """Named by `tempfile`, closed to others, and old: of a process that was killed before it made the owner's file."""
    name = path.name.rpartition("-")[2]
    is_closed = stat.S_IMODE(about.st_mode) == 0o700
    return len(name) == 8 and is_closed and time.time() - about.st_mtime > _UNOWNED_SECONDS


def _is_unused_file(path: Path) -> bool:
    """A file of this user's that no process has open."""
    try:
        about = path.lstat()
    except OSError:
        return False
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) != 0o600:
        return False
    return not any(_opens(each, path) for each in Path("/proc").glob("[0-9]*/fd"))


def _opens(descriptors: Path, path: Path) -> bool:
    with contextlib.suppress(OSError):  # it has ended, or belongs to another user
        for descriptor in descriptors.iterdir():
            with contextlib.suppress(OSError):
                if descriptor.readlink() == path:
                    return True
    return False


def _remove_draft(path: Path) -> None:
    """Remove it unless its process lives."""
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            about = os.fstat(file)
            if stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid() and _lock(file):
                path.unlink()
        finally:
            os.close(file)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_still(file: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False
