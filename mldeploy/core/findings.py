"""The words in which something that was looked at is spoken of: a finding, how bad it is, and what would mend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    """It works, but not as it should, or not for long."""
    ERROR = "error"
    """A build or a deployment would fail."""


@dataclass(frozen=True)
class Fix:
    """Something that mends a finding and is safe: nothing that works stops working, nothing of the user's is lost.

    title: what it does, as an order ("remove the container …"). run: does it; may be repeated; raises if it cannot.
    """

    title: str
    run: Callable[[], None]


@dataclass(frozen=True)
class Finding:
    """One line. subject: what it is about, a word or a key. what: the fact. todo: what the user can do about it.

    None of them may hold a secret.
    """

    subject: str
    level: Level
    what: str
    todo: str = ""
    fix: Fix | None = None


def ok(subject: str, what: str) -> Finding:
    return Finding(subject, Level.OK, what)


def warning(subject: str, what: str, todo: str = "", fix: Fix | None = None) -> Finding:
    return Finding(subject, Level.WARNING, what, todo, fix)


def error(subject: str, what: str, todo: str = "", fix: Fix | None = None) -> Finding:
    return Finding(subject, Level.ERROR, what, todo, fix)
