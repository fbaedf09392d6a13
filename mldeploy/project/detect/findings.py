"""The shape of everything that is found in a folder: a value, where it stands, and how sure we are of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, order=True)
class Source:
    """A place in the folder. path: below it, with forward slashes. line: counted from 1; 0 is the whole file."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


class Certainty(IntEnum):
    """How sure a finding is. Only comparisons between findings mean anything."""

    GUESS = 1
    """The best that could be made of it; the user should look."""
    LIKELY = 2
    """What the source says, as far as it can be read without running it."""
    CERTAIN = 3
    """Written down for exactly this purpose: a Procfile, a lock file, a version file."""


@dataclass(frozen=True)
class Found(Generic[T_co]):
    """A value, where it was found, and how certain it is."""

    value: T_co
    source: Source
    certainty: Certainty = Certainty.LIKELY


class Severity(StrEnum):
    """How bad a remark is."""

    ERROR = "error"
    """As it stands the app would not build, start or answer."""
    WARNING = "warning"
    """It would run, but not as the user would want it to."""
    NOTE = "note"
    """Nothing to do: something that the user should know was seen or decided."""


@dataclass(frozen=True)
class Remark:
    """Something that looks wrong. `code` is stable, for programs; `what` and `todo` are for people, without secrets."""

    code: str
    severity: Severity
    source: Source
    what: str
    todo: str = ""
