"""What an earlier command left undone: its lock, and the journal of what it had begun."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import psutil

from mldeploy.config.paths import state_folder
from mldeploy.core.journal import Journal, Scope, read
from mldeploy.core.lock import Holder
from mldeploy.core.step import Resource
from mldeploy.doctor.text import listed
from mldeploy.providers.checks import Finding, Fix, ok, warning

SUBJECT = "last command"
CLOCK_STEP = 2.0
"""Seconds by which the time in a lock may lie before its process's start, for rounding and a clock that was set."""


@dataclass(frozen=True)
class Left:
    """One scope's files. holder: who is written in the lock; None if the last command ended as it should."""

    scope: Scope
    holder: Holder | None
    begun: tuple[Resource, ...]

    @property
    def runs(self) -> bool:
        """The holder still works, as far as this machine can tell."""
        holder = self.holder
        if holder is None or holder.host != socket.gethostname():
            return False
        try:
            began = psutil.Process(holder.pid).create_time()
        except psutil.Error:
            return False
        return began <= datetime.fromisoformat(holder.since).timestamp() + CLOCK_STEP


def interrupted(app: str, target: str) -> Iterator[Finding]:
    """Look at the app's locks and journals for a target, without locking anything. Raises StateError, ConfigError."""
    folder = state_folder()
    for left in _left(folder, app, target):
        yield from _judged(left, folder)


def _judged(left: Left, folder: Path) -> Iterator[Finding]:
    begun = listed(str(each) for each in left.begun) if left.begun else ""
    if left.holder is None:
        if begun:
            yield ok(SUBJECT, f"ended as it should; made until now: {begun}")
    elif left.runs:
        yield warning(SUBJECT, f"{left.holder} is still at work", "Wait for it to end before you start another one.")
    elif begun:
        todo = "`mldeploy deploy` goes on where it stopped; `mldeploy destroy` removes what it had made."
        yield warning(SUBJECT, f"{left.holder} did not end as it should; it had begun {begun}", todo)
    else:
        fix = Fix("remove the lock of a command that died before it had begun anything", lambda: _clear(left, folder))
        what = f"{left.holder} did not end as it should; it had begun nothing"
        yield warning(SUBJECT, what, "Nothing has to be done; `mldeploy doctor --fix` removes its lock.", fix)


def _clear(left: Left, folder: Path) -> None:
    """Open and close an empty journal: that leaves no file. Raises LockedError if a command has begun meanwhile."""
    Journal(folder, left.scope, "mldeploy doctor --fix").close()


def _left(folder: Path, app: str, target: str) -> Iterator[Left]:
    place = Scope(app, target).file(folder).parent
    for file in sorted({each.with_suffix(".journal") for each in (*place.glob("*.lock"), *place.glob("*.journal"))}):
        names = [_unquoted(part) for part in file.stem.split("@")]
        if names[0] == target:
            scope = Scope(app, target, tuple(names[1:]))
            yield Left(scope, _holder(file.with_suffix(".lock")), read(folder, scope))


def _unquoted(part: str) -> str:
    """The inverse of how `Scope.file` writes a name."""
    return part[1:] if part.startswith("%") and not part[1:].strip(".") else unquote(part)


def _holder(lock: Path) -> Holder | None:
    try:
        return Holder(**json.loads(lock.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
