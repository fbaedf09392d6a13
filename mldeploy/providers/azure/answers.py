"""For steps: whatever the SDK raises becomes an error about the step's resource."""

from __future__ import annotations

from typing import Any, TypeVar

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Resource, Seen, Step
from mldeploy.providers.azure.errors import azure_errors

StepT = TypeVar("StepT", bound=Step[Any, object])


def speaking(step: type[StepT]) -> type[StepT]:
    """Decorates a step's class: its probe, its apply and its undo raise MldeployErrors about its resource."""
    probe, apply, undo = step.probe, step.apply, step.undo

    def probed(self: StepT, cloud: Any, outs: Outputs) -> Seen[object] | None:
        with azure_errors(str(self.resource)):
            return probe(self, cloud, outs)

    def applied(self: StepT, cloud: Any, outs: Outputs, seen: Seen[object] | None, monitor: Monitor) -> object:
        with azure_errors(str(self.resource)):
            return apply(self, cloud, outs, seen, monitor)

    def undone(cloud: Any, key: Key, monitor: Monitor) -> bool:
        with azure_errors(str(Resource(step.kind, key))):
            return undo(cloud, key, monitor)

    step.probe, step.apply, step.undo = probed, applied, staticmethod(undone)  # type: ignore[assignment, method-assign]
    return step
