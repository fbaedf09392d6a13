"""Errors of API calls to AWS: ignore some codes, translate the rest, wait for a deletion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from botocore.exceptions import ClientError

from mldeploy.core.errors import LeftoversError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Resource, Seen, Step
from mldeploy.providers.aws.errors import aws_errors, error_code
from mldeploy.providers.aws.fargate.cloud import FargateCloud

OutT = TypeVar("OutT")
T = TypeVar("T")
StepT = TypeVar("StepT", bound=Step[FargateCloud, object])


@contextmanager
def ignore_codes(*codes: str) -> Iterator[None]:
    """Ignore an error response with one of these codes; the rest of the block is skipped."""
    try:
        yield
    except ClientError as error:
        if error_code(error) not in codes:
            raise


def translate_errors(service: str) -> Callable[[type[StepT]], type[StepT]]:
    """Class decorator for steps: translate the SDK's exceptions to a MldeployError about the step's resource.

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


YOUNG_SECONDS = 60.0
YOUNG_POLL_SECONDS = 1.0


def retry_while_young(monitor: Monitor, call: Callable[[], T]) -> T:
    """Return the call's result; for a minute, repeat it while AWS does not know yet what was made a moment ago.

    The first use of ECS in an account makes a service-linked role, and the call that made it may be refused until the
    role is known: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
    call: one that may be repeated. Raises what it raises last, CancelledError on a stop.
    """
    for _ in monitor.attempts(every=YOUNG_POLL_SECONDS, within=YOUNG_SECONDS):
        try:
            return call()
        except ClientError as error:
            if not is_about_youth(error):
                raise
            monitor.progress(Progress("", "waiting until AWS knows the new cluster and role everywhere"))
    return call()


def is_about_youth(error: ClientError) -> bool:
    """Whether the cluster, or the account's service-linked role, is not known yet."""
    return error_code(error) == "ClusterNotFoundException" or "service linked role" in str(error)


GONE_SECONDS = 600.0
GONE_POLL_SECONDS = 1.0


def wait_until_gone(monitor: Monitor, what: str, is_gone: Callable[[], bool], within: float = GONE_SECONDS) -> None:
    """Poll until `is_gone()`, for at most `within` seconds. Raises LeftoversError, CancelledError on a stop."""
    for _ in monitor.attempts(every=GONE_POLL_SECONDS, within=within):
        if is_gone():
            return
    raise LeftoversError(what, f"is still there after {within:.0f} s", "Run `mldeploy destroy` again a little later.")
