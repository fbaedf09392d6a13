"""The verdict of a check: its findings and the measured figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.findings import Finding, Level
from mldeploy.image.types import Image

if TYPE_CHECKING:
    from mldeploy.check.inspection import ImageInspection


@dataclass(frozen=True)
class CheckFigures:
    """The measured figures; None if not measured. Times in seconds, memory in bytes.

    start: until the app was healthy. stop: from SIGTERM to its end. proposed: what `[app] memory` could be.
    """

    start: float | None = None
    stop: float | None = None
    memory_at_rest: int | None = None
    memory_after_golden: int | None = None
    memory_proposed: int | None = None


@dataclass(frozen=True)
class CheckVerdict:
    """Of one image. findings: in the order in which they are read, causes before their consequences.

    inspection: None if the verdict is cached.
    """

    findings: tuple[Finding, ...]
    figures: CheckFigures
    inspection: ImageInspection | None = None

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.level is Level.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.level is Level.WARNING)


class CheckFailedError(MldeployError):
    """An image failed its check."""

    code = ExitCode.FAILED

    def __init__(self, image: Image, verdict: CheckVerdict) -> None:
        first, *others = verdict.errors
        lines = [f"{first.subject}: {first.what}", *(f"{each.subject}: {each.what}" for each in others)]
        super().__init__(
            image.reference, "\n".join(lines), f"{first.todo}\nTo leave out the check: --no-check.".lstrip()
        )
        self.image = image
        self.verdict = verdict
