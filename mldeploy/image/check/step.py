"""The step between an image and whatever it is for: it has been looked at, and nothing was wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.check import records
from mldeploy.image.check.verdict import CheckFailedError, Verdict
from mldeploy.image.cloud import HasEngine
from mldeploy.image.engine import Engine
from mldeploy.image.steps import BaseImage, BuiltImage
from mldeploy.image.types import Image


@dataclass(frozen=True)
class Checked:
    """An image that may go anywhere, and what was found. anew: it was looked at now, and not only remembered."""

    image: Image
    verdict: Verdict
    anew: bool


@dataclass(frozen=True, eq=False)
class CheckedImage(Step[HasEngine, Checked]):
    """The image does what the app must do. anew: look also at what is remembered to be good."""

    kind: ClassVar[str] = "checked-image"
    title: ClassVar[str] = "Check the image"

    image: BuiltImage
    base: BaseImage
    anew: bool = False

    @classmethod
    def of(cls, image: BuiltImage, *, anew: bool = False) -> CheckedImage:
        """The step for an image that is built."""
        return cls(image, image.base, anew)

    def key(self) -> Key:
        return self.image.key()

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[Checked] | None:
        image = outs[self.image]
        verdict = records.recall(self.key().name, self._subject(image))
        if verdict is None:
            return None
        drift = ("to be looked at anew",) if self.anew else ()
        return Seen(Checked(image, verdict, anew=False), drift)

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[Checked] | None, monitor: Monitor) -> Checked:
        """Raises CheckFailedError with the verdict; ProjectError, EngineError, StateError, CancelledError."""
        from mldeploy.image.check.examine import check  # noqa: PLC0415 - what is remembered does not wait for it
        from mldeploy.image.check.trial import alone  # noqa: PLC0415

        image = outs[self.image]
        subject = self._subject(image)
        with alone(self.key().name, monitor):
            verdict = check(cloud.engine, self.image.project, image, outs[self.base], monitor)
        if verdict.errors:
            raise CheckFailedError(image, verdict)
        records.remember(self.key().name, subject, verdict)
        return Checked(image, verdict, anew=True)

    def _subject(self, image: Image) -> records.Subject:
        return records.Subject.of(self.image.project, image.digest)

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """Forget what was checked, and remove what a check left that was killed."""
        from mldeploy.image.check.trial import alone, sweep  # noqa: PLC0415

        with alone(key.name, monitor):
            swept = sweep(cloud.engine, key.name)
        return records.forget(key.name) or swept


def leftovers(engine: Engine, app: str) -> bool:
    """Whether `undo` would find anything. Raises EngineError."""
    from mldeploy.image.check.trial import containers_of  # noqa: PLC0415

    return records.is_known(app) or bool(containers_of(engine, app).all())
