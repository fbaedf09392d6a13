"""The journal: resources whose creation has started and that are not removed, written to disk before the creation.

A text file of JSON lines: a header, then one line a change. A line counts once it ends with a newline, so a line torn
by a crash or a full disk was never written. The cloud is the source of truth for a deployment; the journal only
covers the time between the creation of a resource and the confirmation.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Generic, Self
from urllib.parse import quote

from mldeploy.core.errors import StateError
from mldeploy.core.events import Events
from mldeploy.core.files import SAFE_FLAGS, STATE_LIMIT, UnreadableError, check_regular, read_bytes, read_descriptor
from mldeploy.core.lock import Holder, Lock
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.parsing import parse_json
from mldeploy.core.step import AnyCloudT, Key, Resource

VERSION = 1


@dataclass(frozen=True)
class Scope:
    """The scope of one journal. `place` separates two deployments of one app to one target: account, region."""

    app: str
    target: str
    place: tuple[str, ...] = ()

    def file(self, folder: Path) -> Path:
        """The journal's path below a state folder. No two scopes share one: each would destroy what is the other's."""
        name = "@".join(map(_quoted, (self.target, *self.place)))
        return folder / _quoted(self.app) / f"{name}.journal"


def _quoted(name: str) -> str:
    """A part of a file's name that stands for this name alone; `quote` leaves "", "." and ".." as they are."""
    return quote(name, safe="") if name.strip(".") else f"%{name}"


class Journal:
    """The journal of one scope, open for writing and locked until it is closed.

    Raises LockedError if another process has it open, StateError if it cannot be read or written. An entry is on disk
    (fsync) when the call that adds it returns.
    """

    def __init__(self, folder: Path, scope: Scope, command: str) -> None:
        self._path = scope.file(folder)
        self._scope = scope
        self._mutex = threading.Lock()  # steps that run at the same time begin at the same time
        self._lock = Lock(self._path.with_suffix(".lock"), command)
        try:
            self._open = read(folder, scope)
        except BaseException:
            self._lock.release()
            raise

    @property
    def predecessor(self) -> Holder | None:
        """The command before this one, if it died half-way."""
        return self._lock.predecessor

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What has been begun and not undone, in the order in which it was begun."""
        return tuple(self._open)

    def begin(self, resource: Resource) -> None:
        """Write down that a thing is about to be made. No write if that is known already."""
        with self._mutex:
            if resource not in self._open:
                self._append("begin", resource)
                self._open = (*self._open, resource)

    def forget(self, resource: Resource, *, on_disk: bool = True) -> None:
        """Write down that a thing is surely gone.

        on_disk: False if a disk that cannot be written is no error. The file may then still list it, which harms
        nothing: to remove what is gone is a success.
        """
        with self._mutex:
            if resource in self._open:
                with contextlib.nullcontext() if on_disk else contextlib.suppress(StateError):
                    self._append("gone", resource)
                self._open = tuple(known for known in self._open if known != resource)

    def close(self) -> None:
        """Release the lock; a journal that lists nothing leaves no file. May be repeated."""
        if not self._lock.is_held:
            return
        if self._open:
            self._lock.release()
            return
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._lock.release(remove=True)
        with contextlib.suppress(OSError):  # another target of the same app still has its journal there
            self._path.parent.rmdir()

    def _append(self, change: str, resource: Resource) -> None:
        if not self._lock.is_held:
            raise ValueError("the journal is closed")
        line = _line({"change": change, "kind": resource.kind, "name": resource.key.name, "scope": resource.key.scope})
        try:
            _append(self._path, line, _header(self._scope))
        except OSError as error:
            result = "nothing was begun" if change == "begin" else f"it still lists {resource}, which is gone"
            todo = "Free the disk or correct its permissions, and run the command again."
            raise StateError(str(self._path), f"cannot be written ({error.strerror}): {result}", todo) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read(folder: Path, scope: Scope) -> tuple[Resource, ...]:
    """What a scope's journal lists, without locking it; empty if there is none. A torn last line is passed over."""
    path = scope.file(folder)
    try:
        lines = read_bytes(path, limit=STATE_LIMIT, follow=False).split(b"\n")[:-1]
    except FileNotFoundError:
        return ()
    except UnreadableError as error:
        todo = "Correct its permissions." if error.what.startswith("cannot") else f"It is damaged. {_WITHOUT_IT}"
        raise StateError(str(path), f"cannot be read ({error.strerror})", todo) from error
    entries: dict[Resource, None] = {}
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        try:
            entry = _parse_entry(line)
            if number == 1:
                _check_header(where, entry, scope)
            else:
                _replay(entries, entry)
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(where, f"is no line of a journal ({error})", f"It is damaged. {_WITHOUT_IT}") from error
    return tuple(entries)


def _parse_entry(line: bytes) -> dict[str, object]:
    entry = parse_json(line)
    if not isinstance(entry, dict):
        raise TypeError("it is no object")
    return entry


_WITHOUT_IT = "Move it away: `mldeploy deploy` and `mldeploy destroy` then go by name and by tag."


def _check_header(where: str, header: dict[str, object], scope: Scope) -> None:
    version = header["version"]
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"version {version}")
    if version > VERSION:
        what = f"was written by a newer mldeploy (version {version} of the journal; this one reads {VERSION})"
        raise StateError(where, what, "Use that version of mldeploy, or a newer one.")
    if header != json.loads(_header(scope)):
        whose = ", ".join(f"{key} {header[key]}" for key in ("app", "target", "place"))
        raise StateError(where, f"belongs to another deployment ({whose})", f"It was moved here. {_WITHOUT_IT}")


def _replay(entries: dict[Resource, None], entry: dict[str, object]) -> None:
    scope = entry["scope"]
    if not isinstance(scope, list):
        raise TypeError("scope is not a list")
    resource = Resource(str(entry["kind"]), Key(str(entry["name"]), tuple(map(str, scope))))
    if entry["change"] == "begin":
        entries[resource] = None
    elif entry["change"] == "gone":
        entries.pop(resource, None)
    else:
        raise ValueError(f"change {entry['change']!r}")


def _header(scope: Scope) -> bytes:
    return _line({"version": VERSION, "app": scope.app, "target": scope.target, "place": scope.place})


def _line(entry: dict[str, object]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _append(path: Path, line: bytes, header: bytes) -> None:
    """Append a line and return once it is on disk; what was torn off before is cut away first.

    Raises OSError, and then the file holds what it held before.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | SAFE_FLAGS, 0o600)
    try:
        check_regular(path, os.fstat(file))
        whole = read_descriptor(file, limit=STATE_LIMIT).rfind(b"\n") + 1
        os.ftruncate(file, whole)
        data = line if whole else header + line
        try:
            _write_all(file, data, whole)
            os.fsync(file)
            if not whole:
                _sync_folders(path.parent, path.parent.parent)
        except OSError:
            os.ftruncate(file, whole)
            raise
    finally:
        os.close(file)


def _write_all(file: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written


def _sync_folders(*folders: Path) -> None:
    """Make the names of a new file and its new folder survive a crash (fsync(2): a folder's entry needs its own)."""
    for folder in folders:
        file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)


@dataclass(frozen=True)
class Session(Generic[AnyCloudT]):
    """One command's work on one app and target: the clients, what survives a crash, the user's wish, who listens."""

    cloud: AnyCloudT
    journal: Journal
    cancel: Cancel
    events: Events

    def monitor(self, resource: Resource) -> Monitor:
        return Monitor(resource, self.events, self.cancel)
