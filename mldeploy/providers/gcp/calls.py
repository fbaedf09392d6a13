"""gRPC calls to Google: channels, timeouts, retries, token renewal, and waiting for operations.

The SDK does not retry RESOURCE_EXHAUSTED and INTERNAL errors, and retries no calls of Artifact Registry.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import grpc
from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.api_core.timeout import ConstantTimeout
from google.auth.transport.grpc import AuthMetadataPlugin

from mldeploy.core.errors import LeftoversError
from mldeploy.core.files import STATE_LIMIT, read_bytes
from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.errors import RETRY_TODO, GcpError, token_error
from mldeploy.providers.gcp.identity import GoogleCredentials

T = TypeVar("T")

CALL_TIMEOUT_SECONDS = 20.0
RETRY_TIMEOUT_SECONDS = 25.0
_TRANSIENT = (
    api.TooManyRequests,
    api.ServiceUnavailable,
    api.InternalServerError,
    api.GatewayTimeout,
    api.Unknown,
)


def is_transient(error: BaseException) -> bool:
    """Whether a retry may succeed. All calls may be repeated, because created resources have fixed names."""
    return isinstance(error, _TRANSIENT) and not token_error(error)


RETRY = Retry(predicate=is_transient, initial=0.2, maximum=5.0, multiplier=2.0, timeout=RETRY_TIMEOUT_SECONDS)


def open_channel(identity: GoogleCredentials, address: str, ca_bundle: Path | None) -> grpc.Channel:
    """A channel to a service (`HOST` or `HOST:PORT`) that sends a token with every call. Makes no call.

    ca_bundle: trusted certificates; None: gRPC's default, or GRPC_DEFAULT_SSL_ROOTS_FILE_PATH.
    """
    roots = read_bytes(ca_bundle, limit=STATE_LIMIT) if ca_bundle else None
    plugin = AuthMetadataPlugin(identity.credentials, identity.request)
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(root_certificates=roots), grpc.metadata_call_credentials(plugin)
    )
    return grpc.secure_channel(address if ":" in address else f"{address}:443", credentials)


def call(identity: GoogleCredentials, method: Callable[..., T], request: object) -> T:
    """Call a method of a Google client. If Google rejects the token, renew it and retry once.

    Raises SDK errors: wrap calls in `errors.gcp_errors`.
    """
    token = identity.token()
    try:
        return method(request=request, retry=RETRY, timeout=ConstantTimeout(CALL_TIMEOUT_SECONDS))
    except api.Unauthenticated:
        identity.renew(token)
        return method(request=request, retry=RETRY, timeout=ConstantTimeout(CALL_TIMEOUT_SECONDS))


FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0


class PollableOperation(Protocol):
    """A long-running operation: `google.api_core.operation.Operation`."""

    def done(self, retry: object = None) -> bool:
        """Polls once."""

    def result(self, timeout: float | None = None) -> object:
        """The result. Raises the SDK's error if the operation failed."""


def wait_for_operation(operation: PollableOperation, monitor: Monitor, what: str, within: float) -> None:
    """Wait for an operation. Raises its SDK error, GcpError at the deadline, CancelledError on a stop."""
    for _ in poll(monitor, within):
        if operation.done(retry=RETRY):
            operation.result(timeout=0)
            return
    raise GcpError(what, f"is not ready after {within:.0f} s", RETRY_TODO)


def poll(monitor: Monitor, within: float) -> Iterator[float]:
    """Yield the seconds elapsed, with exponential pauses, until the deadline. Raises CancelledError on a stop."""
    start, pause = time.monotonic(), FIRST_PAUSE
    while (elapsed := time.monotonic() - start) < within:
        monitor.check()
        yield elapsed
        monitor.wait(min(pause, max(0.0, within - elapsed)))
        pause = min(pause * 1.4, LONGEST_PAUSE)


def wait_until_gone(monitor: Monitor, what: str, is_gone: Callable[[], bool], within: float) -> None:
    """Poll until `is_gone` is true. Raises LeftoversError at the deadline, CancelledError on a stop."""
    for _ in poll(monitor, within):
        if is_gone():
            return
    raise LeftoversError(what, f"is still there after {within:.0f} s", "Run `mldeploy destroy` again later.")
