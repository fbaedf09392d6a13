"""Errors of Docker Hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests

from mldeploy.core.errors import CredentialsError, DeniedError, ExitCode, MldeployError, translate_exceptions


class HubError(MldeployError):
    """Docker Hub is unreachable, or it answers with an unexpected error."""

    code = ExitCode.REMOTE


class HubCredentialsError(CredentialsError):
    """Credentials are missing, or Docker Hub rejects them."""


class HubDeniedError(DeniedError):
    """The token may not do something. operation: the API's name of it (`CreateRepository`)."""

    def __init__(self, where: str, user: str, operation: str, reason: str, todo: str = "") -> None:
        suffix = f": {reason}" if reason else ""
        super().__init__(where, f"the token of {user} is not allowed {operation}{suffix}", todo or PERMISSIONS)
        self.operation = operation


@contextmanager
def hub_errors(where: str) -> Iterator[None]:
    """Translate errors of the HTTP client into a HubError about `where`."""
    with translate_exceptions(requests.RequestException, lambda error: translate_error(where, error)):
        yield


def translate_error(where: str, error: requests.RequestException) -> HubError:
    """Return the HubError for an error of the HTTP client."""
    reason = " ".join(str(error).split())
    if isinstance(error, requests.exceptions.SSLError):
        todo = "Where something inspects TLS on the way, name its certificates in REQUESTS_CA_BUNDLE."
        return HubError(where, f"the connection to Docker Hub is not trusted: {reason}", todo)
    todo = "Check the network and the proxy (HTTPS_PROXY); then run the command again: it resumes."
    return HubError(where, f"Docker Hub does not respond: {reason}", todo)


AGAIN = "It may pass: run the command again, it resumes."
TOKEN = "Make another access token in the account's settings on Docker Hub, and set DOCKERHUB_TOKEN to it."  # noqa: S105
PERMISSIONS = (
    "A token has the permissions that it was made with, as far as its user has them in that namespace: "
    "`mldeploy policy --target dockerhub` says which are needed."
)
