"""Wait for long-running operations and for deletions, each with a deadline."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import RetryPolicy
from azure.core.pipeline.transport import HttpTransport
from azure.core.polling import LROPoller
from azure.mgmt.core.exceptions import ARMErrorFormat

from mldeploy.core.errors import LeftoversError
from mldeploy.core.monitor import Monitor
from mldeploy.providers.azure.errors import AzureError, is_absent

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

POLL_SECONDS = 0.1
GONE_POLL_SECONDS = 1.0
OPERATION_SECONDS = 1800.0
GONE_SECONDS = 900.0
MAX_RESUMES = 3
"""How often an interrupted poller is resumed."""


class BeginOperation(Protocol[T_co]):
    """Starts a long-running operation. With a continuation token it only resumes waiting for it."""

    def __call__(self, *, continuation_token: str | None = None) -> LROPoller[T_co]: ...


def run_operation(monitor: Monitor, what: str, begin: BeginOperation[T], within: float = OPERATION_SECONDS) -> T:
    """Start an operation, wait, and return its result. An interrupted poller is resumed.

    Raises SDK errors, AzureError at the deadline, CancelledError on a stop. The operation itself continues in Azure.
    """
    return RunningOperation(begin).wait(monitor, what, within)


class RunningOperation(Generic[T]):
    """An operation that was started now. For those that look at something else while they wait for it."""

    result: T
    """Set once it is done."""

    def __init__(self, begin: BeginOperation[T]) -> None:
        """Start it. Raises SDK errors."""
        self._begin = begin
        self._poller = begin()
        self._token = self._poller.continuation_token()
        self._resumes = 0

    def is_done(self) -> bool:
        """Whether it has succeeded. Resumes an interrupted poller. Raises SDK errors if it has failed."""
        if not self._poller.done():
            return False
        try:
            self.result = self._poller.result()
        except CALL_ERRORS as error:
            if self._resumes == MAX_RESUMES or not is_temporary(error):
                raise
            self._resumes += 1
            self._poller = self._begin(continuation_token=self._token)
            return False
        return True

    def wait(self, monitor: Monitor, what: str, within: float = OPERATION_SECONDS) -> T:
        """Return its result. Raises as `run_operation` does."""
        for _ in monitor.attempts(every=POLL_SECONDS, within=within):
            if self.is_done():
                return self.result
        todo = "Run the command again to continue waiting."
        raise AzureError(what, f"Azure has not finished after {within:.0f} s", todo)


CALL_ERRORS = (ServiceRequestError, ServiceResponseError, HttpResponseError)


def is_temporary(error: Exception) -> bool:
    """Whether a call failed at the connection or the service's load, so that it may succeed soon."""
    if isinstance(error, HttpResponseError):
        return (error.status_code or 0) == 429 or (error.status_code or 0) >= 500
    return True


def wait_until_gone(monitor: Monitor, what: str, is_gone: Callable[[], bool], within: float = GONE_SECONDS) -> None:
    """Poll until `is_gone` is true. Raises LeftoversError at the deadline, CancelledError on a stop."""
    for _ in monitor.attempts(every=GONE_POLL_SECONDS, within=within):
        if is_gone():
            return
    raise LeftoversError(what, f"is still there after {within:.0f} s", "Run `mldeploy destroy` again later.")


ATTEMPTS = 4
BACKOFF_SECONDS = 0.4
EVERY_METHOD = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


class AzureRetryPolicy(RetryPolicy[Any, Any]):
    """Retries all methods: the POST and PATCH requests of mldeploy may be repeated.

    A request that may not be repeated passes `retry_on_methods`. Use one policy per client.
    """

    def __init__(self) -> None:
        super().__init__(retry_total=ATTEMPTS, retry_backoff_factor=BACKOFF_SECONDS)

    def configure_retries(self, options: dict[str, Any]) -> dict[str, Any]:
        options.setdefault("retry_on_methods", EVERY_METHOD)
        return super().configure_retries(options)

    def sleep(
        self,
        settings: dict[str, Any],
        transport: HttpTransport[Any, Any],
        response: PipelineResponse[Any, Any] | None = None,
    ) -> None:
        """Close the connection of the failed response, which the SDK leaves open."""
        super().sleep(settings, transport, response)
        if response is not None:
            with suppress(AttributeError):  # responses of the older SDK transport are read already
                response.http_response.close()

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Raise if a resource provider is not registered. The SDK would register it, even for a read."""
        response = super().send(request)
        answer = response.http_response
        if answer.status_code == 409:
            with suppress(AttributeError):  # responses without streaming are read already
                answer.read()
            error = ResourceExistsError(response=answer, error_format=ARMErrorFormat)
            if is_absent(error):
                raise error
        return response
