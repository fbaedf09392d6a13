"""A cache of files' SHA-256 in the user's cache folder: hashing a model of 8 GB takes minutes.

A file is identified by device, inode, size, mtime and ctime, as in git's index. As there, a file that has just changed
is not cached, since file system clocks are coarse:
https://git-scm.com/docs/racy-git. A defective cache is ignored.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mldeploy.config.paths import cache_folder
from mldeploy.core.errors import MldeployError
from mldeploy.core.files import check_regular

if TYPE_CHECKING:
    import sqlite3

Stamp = tuple[int, ...]
"""Device, inode, size, mtime and ctime in nanoseconds."""

NAME = "hashes.sqlite"
MAX_ENTRIES = 1_000_000
MAX_BYTES = 512 << 20
RACY_SECONDS = 2.0
"""A file changed within this time may change again with the same timestamps."""
_BUSY_SECONDS = 1.0
_COLUMNS = "device, inode, size, mtime, ctime"
_TABLE = f"CREATE TABLE IF NOT EXISTS hashes ({_COLUMNS}, sha256, PRIMARY KEY (device, inode))"


class HashCache:
    """Cached hashes. Not thread-safe. Without a connection it is empty. clock: returns the time as `time.time` does."""

    def __init__(self, connection: sqlite3.Connection | None = None, clock: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._clock = clock

    def get(self, stamp: Stamp) -> str | None:
        """Return the SHA-256 of a file's content, 64 hex digits, or None if it is not cached."""
        if self._connection is None:
            return None
        query = "SELECT sha256, size, mtime, ctime FROM hashes WHERE device = ? AND inode = ?"
        with self._harmless():
            row = self._connection.execute(query, _stored(stamp)[:2]).fetchone()
            if row and row[1:] == _stored(stamp)[2:] and _is_hash(row[0]):
                return str(row[0])
        return None

    def put(self, stamp: Stamp, digest: str) -> None:
        """Cache a hash, unless the file has just changed."""
        if self._connection is None or max(stamp[3:]) > (self._clock() - RACY_SECONDS) * 1e9:
            return
        with self._harmless():
            values = (*_stored(stamp), digest)
            self._connection.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?, ?)", values)

    def close(self) -> None:
        """Save new entries and remove the oldest beyond MAX_ENTRIES."""
        if self._connection is None:
            return
        with self._harmless():
            newest = "SELECT rowid FROM hashes ORDER BY rowid DESC LIMIT 1 OFFSET ?"
            self._connection.execute(f"DELETE FROM hashes WHERE rowid <= ({newest})", (MAX_ENTRIES,))  # noqa: S608
            self._connection.commit()
        if self._connection is not None:
            self._connection.close()

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        import sqlite3  # noqa: PLC0415 - some Pythons are built without it

        try:
            yield
        except (sqlite3.Error, OverflowError):
            connection, self._connection = self._connection, None
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection.close()


@contextmanager
def hash_cache(clock: Callable[[], float] = time.time) -> Iterator[HashCache]:
    """Open the user's cache, or an empty one if it cannot be used."""
    cache = HashCache(_connect(), clock)
    try:
        yield cache
    finally:
        cache.close()


def _connect() -> sqlite3.Connection | None:
    try:
        import sqlite3  # noqa: PLC0415 - some Pythons are built without it

        path = cache_folder() / NAME
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (ImportError, OSError, MldeployError):
        return None
    for _ in range(2):
        try:
            return _open(path)
        except sqlite3.OperationalError:  # busy, or the disk is full or read-only
            return None
        except (sqlite3.DatabaseError, OSError):  # not a cache: replace it
            with contextlib.suppress(OSError):
                path.unlink()
    return None


def _open(path: Path) -> sqlite3.Connection:
    import sqlite3  # noqa: PLC0415 - some Pythons are built without it

    with contextlib.suppress(FileNotFoundError):
        info = path.lstat()
        check_regular(path, info)
        if info.st_size > MAX_BYTES:
            raise OSError("larger than any cache")
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
    try:
        connection.execute(_TABLE)
        connection.execute(f"SELECT {_COLUMNS}, sha256 FROM hashes LIMIT 1")  # noqa: S608 - a constant
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _stored(stamp: Stamp) -> tuple[str | int, ...]:
    """SQLite's integers have 63 bits, and a device or an inode may need one more."""
    device, inode, *rest = stamp
    return (str(device), str(inode), *rest)


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
