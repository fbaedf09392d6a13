"""Events of a running walk, for the display. Events flow in one direction; nothing is returned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mldeploy.core.step import Resource


class Action(StrEnum):
    """The action on one resource."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    ABSENT = "absent"


@dataclass(frozen=True)
class Started:
    """A step starts: its resource is probed, created or removed."""

    resource: Resource
    title: str


@dataclass(frozen=True)
class Progress:
    """How far one part of a running step is.

    item: the progress bar (a layer's short id); empty for the step itself. text: the current activity.
    done and total: bytes if `in_bytes`, otherwise a count; total 0 means unknown.
    """

    item: str
    text: str
    done: int = 0
    total: int = 0
    in_bytes: bool = False


@dataclass(frozen=True)
class Progressed:
    resource: Resource
    progress: Progress


@dataclass(frozen=True)
class Finished:
    """A step is done. `seconds` is its own wall time; `drift` lists the corrected differences."""

    resource: Resource
    title: str
    action: Action
    seconds: float
    drift: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """A step ends with an error. refused: it did nothing, so the error's own text says everything."""

    resource: Resource
    title: str
    error: Exception
    seconds: float
    refused: bool = False


@dataclass(frozen=True)
class Noted:
    """A message to the user that is not the result of a step. `warning`: it needs attention."""

    text: str
    warning: bool = False


Event = Started | Progressed | Finished | Failed | Noted
Events = Callable[[Event], None]
"""The receiver of events. It may be called from several threads at once and must not raise."""


def ignore(event: Event) -> None:
    """Discard an event."""
