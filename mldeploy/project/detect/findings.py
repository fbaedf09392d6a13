"""The result types of detection: a value with its source and certainty, and remarks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, order=True)
class Source:
    """A location in the folder. path: below it, with forward slashes. line: counted from 1; 0 is the whole file."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


class Certainty(IntEnum):
    """The certainty of a detected value. Only comparisons are meaningful."""

    GUESS = 1
    """A guess; the user should verify it."""
    LIKELY = 2
    """Derived from the source without running it."""
    CERTAIN = 3
    """Declared in a file for this purpose: a Procfile, a lock file, a version file."""


@dataclass(frozen=True)
class Detected(Generic[T_co]):
    """A detected value, its location and its certainty. reason: why it is this value, "" if the location says so."""

    value: T_co
    source: Source
    certainty: Certainty = Certainty.LIKELY
    reason: str = ""


class Severity(StrEnum):
    """The severity of a remark."""

    ERROR = "error"
    """The app cannot be built, started or reached."""
    WARNING = "warning"
    """The app runs, but probably not as intended."""
    NOTE = "note"
    """Information about a decision; no action is required."""


@dataclass(frozen=True)
class Remark:
    """A possible problem. `code` is stable, for programs; `what` and `todo` are texts for users, without secrets."""

    code: str
    severity: Severity
    source: Source
    what: str
    todo: str = ""
