"""Numbers that all worker processes of one server add to, and that any of them can sum up.

Each process writes its numbers into a file of its own, mapped into memory; whoever answers a scrape reads every file of
the folder. The folder's name follows from what the workers have in common: their parent, and the port. A dead worker's
file stays, since what it counted still counts.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

Key = tuple[str, ...]
"""The metric's name, then its labels and their values by turns."""

_SIZE = 1 << 20
_USED = struct.Struct("=Q")
_LENGTH = struct.Struct("=I")
_VALUE = struct.Struct("=d")


class SharedCounters:
    """Counters of this process in a file that others can read. Safe to use from several threads and after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = 0
        self._map: mmap.mmap | bytearray = bytearray(_SIZE)
        self._offsets: dict[Key, int] = {}
        self._folder: Path | None = None
        self.problem = ""  # why the numbers are those of one process alone

    def add(self, amounts: Iterable[tuple[Key, float]], port: str) -> None:
        """Add to counters. A counter is there from its first addition on."""
        with self._lock:
            if self._process != os.getpid():
                self._open(port)
            for key, amount in amounts:
                offset = self._offsets.get(key)
                if offset is None:
                    offset = self._append(key)
                if offset >= 0:
                    _VALUE.pack_into(self._map, offset, _VALUE.unpack_from(self._map, offset)[0] + amount)

    def sums(self, port: str) -> dict[Key, float]:
        """Every counter, summed up over the processes."""
        self.add((), port)
        totals: dict[Key, float] = {}
        for content in self._contents():
            for key, value in _read_counters(content):
                totals[key] = totals.get(key, 0.0) + value
        return totals

    def _contents(self) -> Iterator[bytes]:
        if self._folder is None:
            yield bytes(self._map)
            return
        for file in sorted(self._folder.glob("*.counters")):
            yield file.read_bytes()

    def _open(self, port: str) -> None:
        self._process, self._offsets = os.getpid(), {}
        try:
            self._folder = _shared_folder(port)
            with tempfile.NamedTemporaryFile(
                dir=self._folder, prefix=f"{os.getpid()}-", suffix=".counters", delete=False
            ) as file:
                file.truncate(_SIZE)
                self._map = mmap.mmap(file.fileno(), _SIZE)
        except OSError as error:
            self._folder, self._map, self.problem = None, bytearray(_SIZE), str(error)
        _USED.pack_into(self._map, 0, _USED.size)

    def _append(self, key: Key) -> int:
        """The offset of a new counter's value, or -1 where the file is full."""
        text = json.dumps(key).encode()
        start = _USED.unpack_from(self._map, 0)[0]
        offset = start + _LENGTH.size + len(text)
        end = offset + _VALUE.size
        if end > _SIZE:
            return -1
        _LENGTH.pack_into(self._map, start, len(text))
        self._map[start + _LENGTH.size : offset] = text
        _VALUE.pack_into(self._map, offset, 0.0)
        _USED.pack_into(self._map, 0, end)  # last, since others read meanwhile
        self._offsets[key] = offset
        return int(offset)


def _read_counters(content: bytes) -> Iterator[tuple[Key, float]]:
    end, start = _USED.unpack_from(content, 0)[0] if len(content) >= _USED.size else 0, _USED.size
    while start < end:
        length = _LENGTH.unpack_from(content, start)[0]
        text = content[start + _LENGTH.size : start + _LENGTH.size + length]
        offset = start + _LENGTH.size + length
        yield tuple(json.loads(text)), _VALUE.unpack_from(content, offset)[0]
        start = offset + _VALUE.size


def _shared_folder(port: str) -> Path:
    """The folder of this server's workers: $MLDEPLOY_METRICS_DIR, or one under the temporary folder. Raises OSError."""
    given = os.environ.get("MLDEPLOY_METRICS_DIR")
    if given:
        folder = Path(given)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    parent = os.getppid()
    folder = Path(tempfile.gettempdir()) / f"mldeploy-metrics-{parent}-{_start_time(parent)}-{port}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def _start_time(process: int) -> str:
    """When a process began, so that a number that is used again is not taken for the same process."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"
