"""The words in which a provider and `mldeploy doctor` speak of what they look at: a check, its findings, a fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings
from mldeploy.core.findings import Finding, Fix, Level, error, ok, warning

__all__ = ["Check", "Diagnosable", "Finding", "Fix", "Level", "error", "ok", "warning"]

SettingsT_contra = TypeVar("SettingsT_contra", bound=TargetSettings, contravariant=True)

CHECK_SECONDS = 5.0


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
