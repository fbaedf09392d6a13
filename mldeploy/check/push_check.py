"""The check before every push, whichever provider's graph the push is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from mldeploy.check.step import CheckedImage, CheckResult
from mldeploy.check.verdict import CheckFigures, CheckVerdict
from mldeploy.core.errors import MldeployError
from mldeploy.core.graph import steps_of
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import AnyCloudT, Gates, Key, Outputs, Resource, Seen, Step, needs
from mldeploy.image.cloud import HasEngine
from mldeploy.image.registry.steps import PushedImage
from mldeploy.image.steps import BuiltImage

Probe = Callable[[HasEngine, Outputs], Seen[object] | None]


@dataclass(frozen=True, eq=False)
class PushCheck(CheckedImage):
    """An image that is to be pushed passes its check. An image that the registry has is not checked.

    The result stays with the image on the engine, for the next target. probes: those of the pushes. push_needs: the
    steps whose outputs these read. They are not annotated as steps: their removal need not wait for this one.
    """

    stays: ClassVar[bool] = True

    probes: tuple[Probe, ...] = ()
    push_needs: tuple[object, ...] = ()

    def probe(self, cloud: HasEngine, outs: Outputs) -> Seen[CheckResult] | None:
        checked = super().probe(cloud, outs)
        image = outs.get(self.image)
        if checked or image is None or not all(_is_pushed(probe, cloud, outs) for probe in self.probes):
            return checked
        return Seen(CheckResult(image, CheckVerdict((), CheckFigures()), anew=False))

    def apply(self, cloud: HasEngine, outs: Outputs, seen: Seen[CheckResult] | None, monitor: Monitor) -> CheckResult:
        """Check the image and report the warnings. Raises as `CheckedImage.apply`."""
        checked = super().apply(cloud, outs, seen, monitor)
        for each in checked.verdict.warnings:
            monitor.note(f"{each.subject}: {each.what}. {each.todo}".rstrip(), warning=True)
        return checked

    @staticmethod
    def undo(cloud: HasEngine, key: Key, monitor: Monitor) -> bool:
        """Remove the containers of a check that was killed. Destroying the local deployment removes the results."""
        from mldeploy.check.trial import check_containers, hold_check_lock, remove_leftovers  # noqa: PLC0415

        if not check_containers(cloud.engine, key.name).all():
            return False
        with hold_check_lock(cloud.engine, key.name, monitor):
            return remove_leftovers(cloud.engine, key.name)


def gate_pushes(
    goal: Step[AnyCloudT, object], pushed: Resource | None = None, withheld: Sequence[str] = ()
) -> Gates[AnyCloudT]:
    """Return the check of the image as the gate of each push on the way to `goal`. Pure.

    pushed: what the provider's own `push` ends with; it need not be a `PushedImage`. withheld: as in `check`. A push of
    what mldeploy did not build has no gate, nor one whose graph has a check already.
    """
    gates: dict[Step[AnyCloudT, object], Step[AnyCloudT, object]] = {}
    for image, pushes in _pushes(goal, pushed).items():
        probes = tuple(cast("Probe", push.probe) for push in pushes)  # the cloud of every target has an engine
        needed = tuple(need for push in pushes for need in needs(push) if need not in pushes)
        check = PushCheck(image, image.base, withheld=tuple(withheld), probes=probes, push_needs=needed)
        gates |= dict.fromkeys(pushes, cast("Step[AnyCloudT, object]", check))
    return gates


def _pushes(
    goal: Step[AnyCloudT, object], pushed: Resource | None
) -> Mapping[BuiltImage, Sequence[Step[AnyCloudT, object]]]:
    """Return the pushes of each image that is not checked in the graph itself."""
    pushes: dict[BuiltImage, list[Step[AnyCloudT, object]]] = {}
    for step in steps_of(goal):
        if isinstance(step, PushedImage) or step.resource == pushed:
            before = steps_of(step)
            images = (each for each in before if isinstance(each, BuiltImage) and each is not step)
            image = None if any(isinstance(each, CheckedImage) for each in before) else next(images, None)
            if image is not None:
                pushes.setdefault(image, []).append(step)
    return pushes


def _is_pushed(probe: Probe, cloud: HasEngine, outs: Outputs) -> bool:
    """Whether there is nothing to push. A doubt is no: the push itself reports it."""
    try:
        seen = probe(cloud, outs)
    except (MldeployError, LookupError):
        return False
    return seen is not None and not (seen.drift or seen.replace)
