"""A service in whose copies commands can be run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Streams:
    """What a command is connected to. stdout, stderr: take bytes as they come.

    stdin: gives at most so many bytes, none at its end; None where there is nothing to read.
    """

    stdout: Callable[[bytes], None]
    stderr: Callable[[bytes], None]
    stdin: Callable[[int], bytes] | None = None


@runtime_checkable
class CanExec(Protocol):
    """What `mldeploy exec` asks of a `mldeploy.providers.base.Service`."""

    def execute(self, command: Sequence[str], instance: str, streams: Streams) -> int:
        """Run a command in a copy of the app, and return its exit status; blocks until it ends.

        instance: the copy's name, "" for any that serves. Raises AbsentError if there is none.
        """
