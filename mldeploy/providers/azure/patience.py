"""How the SDK's clients try again, and what they must not do by themselves."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import RetryPolicy
from azure.core.pipeline.transport import HttpTransport
from azure.mgmt.core.exceptions import ARMErrorFormat

from mldeploy.providers.azure.errors import is_absent

ATTEMPTS = 4
BACKOFF_SECONDS = 0.4
EVERY_METHOD = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


class Patient(RetryPolicy[Any, Any]):
    """Also sends again what a lost answer leaves in doubt: whatever we POST or PATCH may be done twice.

    What may not says `retry_on_methods` itself. One belongs to one client.
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
        """The SDK forgets the answer after which it tries again, and leaves its connection to the garbage collector."""
        super().sleep(settings, transport, response)
        if response is not None:
            with suppress(AttributeError):  # the SDK's older kind of answer has been read already
                response.http_response.close()

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """The SDK would register a resource provider where one is missing: even for a look, and without a word."""
        response = super().send(request)
        answer = response.http_response
        if answer.status_code == 409:
            with suppress(AttributeError):  # what was not asked for as a stream is there already
                answer.read()
            error = ResourceExistsError(response=answer, error_format=ARMErrorFormat)
            if is_absent(error):
                raise error
        return response
