"""What AWS answers where it does not do what was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from botocore.exceptions import ClientError

from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Resource, Seen, Step
from mldeploy.providers.aws.errors import aws_errors, code_of
from mldeploy.providers.aws.fargate.cloud import FargateCloud

OutT = TypeVar("OutT")
StepT = TypeVar("StepT", bound=Step[FargateCloud, object])


@contextmanager
def passing(*codes: str) -> Iterator[None]:
    """Pass over an answer with one of these codes, and over the rest of the block."""
    try:
        yield
    except ClientError as error:
        if code_of(error) not in codes:
            raise


def speaking_to(service: str) -> Callable[[type[StepT]], type[StepT]]:
    """For a step: whatever the SDK raises in it becomes a MldeployError about its resource.

    service: IAM's prefix of the service that it mostly calls.
    """

    def decorated(step: type[StepT]) -> type[StepT]:
        probe, apply, undo = step.probe, step.apply, step.undo

        def probed(self: StepT, cloud: FargateCloud, outs: Outputs) -> Seen[object] | None:
            with aws_errors(str(self.resource), service):
                return probe(self, cloud, outs)

        def applied(
            self: StepT, cloud: FargateCloud, outs: Outputs, seen: Seen[object] | None, monitor: Monitor
        ) -> object:
            with aws_errors(str(self.resource), service):
                return apply(self, cloud, outs, seen, monitor)

        def undone(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
            with aws_errors(str(Resource(step.kind, key)), service):
                return undo(cloud, key, monitor)

        step.probe, step.apply, step.undo = probed, applied, staticmethod(undone)  # type: ignore[assignment, method-assign]
        return step

    return decorated
