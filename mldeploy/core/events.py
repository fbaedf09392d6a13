"""What a walk tells while it runs. Events go up to whoever shows them; nothing comes back down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mldeploy.core.step import Resource


class Action(StrEnum):
    """What was done to one thing."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    ABSENT = "absent"


@dataclass(frozen=True)
class Started:
    """A step is being looked at, created or removed."""

    resource: Resource
    title: str


@dataclass(frozen=True)
class Progress:
    """How far one part of a running step is.

    item: which bar (a layer's short id); empty for the step itself. text: what happens there now.
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
    """A step is done. `seconds` is its own wall time; `drift` is what was mended."""

    resource: Resource
    title: str
    action: Action
    seconds: float
    drift: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    resource: Resource
    title: str
    error: Exception
    seconds: float


@dataclass(frozen=True)
class Noted:
    """A sentence for the user that belongs to no step's outcome. `warning`: it asks for attention."""

    text: str
    warning: bool = False


Event = Started | Progressed | Finished | Failed | Noted
Events = Callable[[Event], None]
"""Where events go. It may be called from several threads at once and must not raise."""


def ignore(event: Event) -> None:
    """Events that nobody wants."""
