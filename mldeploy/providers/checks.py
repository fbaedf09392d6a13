"""The words in which a provider and `mldeploy doctor` speak of what they look at: a check, its findings, a fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar, runtime_checkable

from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings

SettingsT_contra = TypeVar("SettingsT_contra", bound=TargetSettings, contravariant=True)

CHECK_SECONDS = 5.0


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


@dataclass(frozen=True)
class Check:
    """Looks at one subject and says what it found.

    look: reads only; may block and may raise: an exception becomes an error line. It runs in a thread of its own.
    seconds: when it has not ended by then, that is what is said.
    """

    subject: str
    look: Callable[[], Iterable[Finding]]
    seconds: float = CHECK_SECONDS


@runtime_checkable
class Diagnosable(Protocol[SettingsT_contra]):
    """A provider that has checks of its own: credentials, permissions, quotas, what is in the way."""

    def checks(self, project: Project, settings: SettingsT_contra) -> Sequence[Check]:
        """Pure: whatever has to be asked is asked when the checks run."""
