"""Findings of a check: the subject, the severity, and the fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    """It works, but not correctly, or not for long."""
    ERROR = "error"
    """A build or a deployment would fail."""


@dataclass(frozen=True)
class Fix:
    """A safe fix for a finding: it breaks nothing that works and deletes no user data.

    title: the action, in the imperative ("remove the container …"). run: performs it; may be repeated; raises on error.
    """

    title: str
    run: Callable[[], None]


@dataclass(frozen=True)
class Finding:
    """One line. subject: a word or a configuration key. what: the fact. todo: what the user can do.

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
