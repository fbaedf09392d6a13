"""What a check has found: a line for each thing that was looked at, and the figures that were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.findings import Finding, Level
from mldeploy.image.types import Image

if TYPE_CHECKING:
    from mldeploy.image.check.inspection import Inspection


@dataclass(frozen=True)
class Figures:
    """What was measured; None for what could not be. Times in seconds, memory in bytes.

    start: until the app was healthy. stop: from SIGTERM to its end. proposed: what `[app] memory` could be.
    """

    start: float | None = None
    stop: float | None = None
    memory_at_rest: int | None = None
    memory_after_golden: int | None = None
    memory_proposed: int | None = None


@dataclass(frozen=True)
class Verdict:
    """Of one image. findings: in the order in which they are read, causes before their consequences.

    inspection: what is installed; None where the verdict is only remembered.
    """

    findings: tuple[Finding, ...]
    figures: Figures
    inspection: Inspection | None = None

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.level is Level.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.level is Level.WARNING)


class CheckFailedError(MldeployError):
    """An image that must not go anywhere, and why."""

    code = ExitCode.FAILED

    def __init__(self, image: Image, verdict: Verdict) -> None:
        first, *others = verdict.errors
        lines = [f"{first.subject}: {first.what}", *(f"{each.subject}: {each.what}" for each in others)]
        super().__init__(image.reference, "\n".join(lines), first.todo)
        self.image = image
        self.verdict = verdict
