"""What the two sides of a rehearsal's own interface have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PREFIX = "/rehearsal/"
TOKEN = "X-Rehearsal-Token"  # noqa: S105 - the header's name


@dataclass(frozen=True)
class Transfer:
    """One request that came to the registry. method and path as HTTP says them, status as it was answered."""

    method: str
    path: str
    status: int


@dataclass(frozen=True, order=True)
class Thing:
    """One thing that somebody made. kind: `ecs:cluster`. name: what it is called, or its id if it has no name."""

    kind: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)
