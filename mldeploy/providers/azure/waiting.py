"""Waiting: for an operation of Azure's that takes long, and until something is gone. One deadline a wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.polling import LROPoller

from mldeploy.core.errors import LeftoversError
from mldeploy.core.monitor import Monitor
from mldeploy.providers.azure.errors import AzureError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

LOOK_EVERY = 0.1
GONE_EVERY = 1.0
OPERATION_SECONDS = 1800.0
GONE_SECONDS = 900.0
RESUMED = 3
"""So often a poller that was cut off is taken up again."""


class Begin(Protocol[T_co]):
    """Sends a request that takes long. Without a token it sends it, with one it only goes on waiting for it."""

    def __call__(self, *, continuation_token: str | None = None) -> LROPoller[T_co]: ...


def finish(monitor: Monitor, what: str, begin: Begin[T], within: float = OPERATION_SECONDS) -> T:
    """Begin an operation and return its result. A poller that is cut off is taken up where it was.

    Raises what the SDK raises, AzureError at the deadline, CancelledError on a stop: the operation itself goes on, and
    the next command finds what it has made.
    """
    poller = begin()
    token = poller.continuation_token()
    for attempt in range(RESUMED + 1):
        _wait(monitor, what, poller, within)
        try:
            return poller.result()
        except (ServiceRequestError, ServiceResponseError, HttpResponseError) as error:
            if attempt == RESUMED or not _was_cut_off(error):
                raise
            poller = begin(continuation_token=token)
    raise AssertionError  # the last attempt returns or raises


def _wait(monitor: Monitor, what: str, poller: LROPoller[T], within: float) -> None:
    for _ in monitor.attempts(every=LOOK_EVERY, within=within):
        if poller.done():
            return
    todo = "Run the command again: it goes on waiting."
    raise AzureError(what, f"Azure has not finished after {within:.0f} s", todo)


def _was_cut_off(error: Exception) -> bool:
    """Rather than told that the operation has failed, which is an answer."""
    if isinstance(error, HttpResponseError):
        return (error.status_code or 0) == 429 or (error.status_code or 0) >= 500
    return True


def until_gone(monitor: Monitor, what: str, is_gone: Callable[[], bool], within: float = GONE_SECONDS) -> None:
    """Ask until it is so. Raises LeftoversError at the deadline, CancelledError on a stop."""
    for _ in monitor.attempts(every=GONE_EVERY, within=within):
        if is_gone():
            return
    raise LeftoversError(what, f"is still there after {within:.0f} s", "Run `mldeploy destroy` again a little later.")
