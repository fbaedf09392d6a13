"""The step that checks an image before it is deployed or pushed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.check import records
from mldeploy.check.verdict import CheckFailedError, CheckVerdict
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.cloud import HasEngine
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BaseImage, BuiltImage
from mldeploy.image.types import Image


@dataclass(frozen=True)
class CheckResult:
    """An image that passed its check, and the verdict. anew: checked now, not cached."""

    image: Image
    verdict: CheckVerdict
    anew: bool


@dataclass(frozen=True, eq=False)
class CheckedImage(Step[HasEngine, CheckResult]):
    """The image passes its check. anew: ignore cached checks. withheld: variables that only the target knows."""

    kind: ClassVar[str] = "checked-image"
    title: ClassVar[str] = "Check the image"

    journaled: ClassVar[bool] = False

    image: BuiltImage
    base: BaseImage
    anew: bool = False
    withheld: tuple[str, ...] = ()

    @classmethod
    def of(cls, image: BuiltImage, *, anew: bool = False) -> CheckedImage:
        """The step for an image that is built."""
        return cls(image, image.base, anew)

    def key(self) -> Key:
        return self.image.key()

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[CheckResult] | None:
        image = outs.get(self.image)
        if image is None:
            return None
        verdict = records.recall(self.key().name, self._subject(image))
        if verdict is None:
            return None
        drift = ("to be looked at anew",) if self.anew else ()
        return Seen(CheckResult(image, verdict, anew=False), drift)

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[CheckResult] | None, monitor: Monitor) -> CheckResult:
        """Raises CheckFailedError with the verdict; ProjectError, EngineError, StateError, CancelledError."""
        from mldeploy.check.examine import check  # noqa: PLC0415 - what is remembered does not wait for it
        from mldeploy.check.trial import hold_check_lock  # noqa: PLC0415

        image = outs[self.image]
        subject = self._subject(image)
        with hold_check_lock(cloud.engine, self.key().name, monitor):
            verdict = check(cloud.engine, self.image.project, image, outs[self.base], monitor, self.withheld)
        if verdict.errors:
            raise CheckFailedError(image, verdict)
        records.remember(self.key().name, subject, verdict)
        return CheckResult(image, verdict, anew=True)

    def _subject(self, image: Image) -> records.CheckSubject:
        return records.CheckSubject.of(self.image.project, image.digest, self.withheld)

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """Remove the cached checks and the containers of a check that was killed."""
        from mldeploy.check.trial import hold_check_lock, remove_leftovers  # noqa: PLC0415

        with hold_check_lock(cloud.engine, key.name, monitor):
            swept = remove_leftovers(cloud.engine, key.name)
        return records.forget(key.name) or swept


def has_leftovers(engine: Engine, app: str) -> bool:
    """Whether `undo` has anything to remove. Raises EngineError."""
    from mldeploy.check.trial import check_containers  # noqa: PLC0415

    return records.is_known(app) or bool(check_containers(engine, app).all())
