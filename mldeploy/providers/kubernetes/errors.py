"""Errors of the Kubernetes API, and their translation into mldeploy's errors.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#response-status-kind
"""

from __future__ import annotations

import re
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import urllib3.exceptions as http
from websocket import WebSocketException

from mldeploy.bounded_http import innermost_reason
from mldeploy.core.errors import (
    CredentialsError,
    DeniedError,
    ExitCode,
    MldeployError,
    RefusedError,
    translate_exceptions,
)
from mldeploy.core.parsing import parse_json
from mldeploy.providers.kubernetes.documents import Document, number, rows, table, text


class KubernetesError(MldeployError):
    """The API server did not answer, or answered with an error. status: the HTTP status, 0 without an answer."""

    code = ExitCode.REMOTE

    def __init__(self, where: str, what: str, todo: str = "", *, status: int = 0) -> None:
        super().__init__(where, what, todo)
        self.status = status


class KubernetesCredentialsError(CredentialsError):
    """There are no credentials for the cluster, or the cluster rejects them."""


class KubernetesDeniedError(DeniedError):
    """A permission is missing. action: the RBAC verb and resource, such as `patch deployments.apps`."""

    def __init__(self, where: str, action: str, message: str) -> None:
        todo = f"Grant the permission ({action}). `mldeploy policy` prints a Role with all required permissions."
        super().__init__(where, f"there is no permission to {action}: {message}", todo)
        self.action = action


class ManagedElsewhereError(RefusedError):
    """A field that mldeploy sets belongs to another manager. conflicts: `.spec.replicas, which kubectl sets`."""

    def __init__(self, where: str, conflicts: tuple[str, ...]) -> None:
        todo = (
            "Nothing was changed. Release the field in the other manager "
            "(`kubectl apply --server-side --field-manager=NAME` without it), or remove it from mldeploy.toml."
        )
        super().__init__(where, f"another manager owns {'; '.join(conflicts)}", todo)
        self.conflicts = conflicts


class ApiStatusError(Exception):
    """A response of the API server that is not a success. It does not leave this package.

    status: the HTTP status. reason: the API's reason ("NotFound", "Conflict", "Invalid", "Forbidden"), or "".
    """

    def __init__(self, action: str, status: int, body: str) -> None:
        super().__init__(f"{action}: {status}")
        parsed = _parse_status(body)
        self.action = action
        self.status = status
        self.reason = text(parsed, "reason")
        self.message = " ".join((text(parsed, "message") or body).split())[:MESSAGE_LIMIT]
        self.details = table(parsed, "details")


MESSAGE_LIMIT = 600
_MANAGER = re.compile(r'conflict with "(?P<manager>[^"]*)"')
_UNREACHABLE = "Check that the cluster runs and is reachable (VPN, proxy), then run the command again: it resumes."
_CONNECTION_ERRORS = (ConnectionError, TimeoutError, http.HTTPError, ssl.SSLError, WebSocketException)


@contextmanager
def kubernetes_errors(where: str) -> Iterator[None]:
    """Translate exceptions of the SDK into a MldeployError about `where`."""
    caught = (ApiStatusError, ApiException, ConfigException, *_CONNECTION_ERRORS)
    with translate_exceptions(caught, lambda error: translate_error(where, error)):
        yield


def translate_error(where: str, error: Exception) -> MldeployError:
    """Return the MldeployError for an exception of the SDK."""
    if isinstance(error, ApiStatusError):
        return _translate_status(where, error)
    if isinstance(error, ConfigException):
        return KubernetesCredentialsError(
            where, f"the credentials cannot be used: {innermost_reason(error)}", "Correct the kubeconfig."
        )
    if "CERTIFICATE" in str(error).upper():
        todo = "Check the cluster's `certificate-authority-data` in the kubeconfig, and this machine's clock."
        return KubernetesError(where, f"the API server's certificate is not trusted: {innermost_reason(error)}", todo)
    return KubernetesError(where, f"the API server does not answer: {innermost_reason(error)}", _UNREACHABLE)


def _translate_status(where: str, error: ApiStatusError) -> MldeployError:
    if error.status == 401:
        todo = "Sign in to the cluster again. Tokens of a kubeconfig or its plugin expire."
        return KubernetesCredentialsError(where, "the API server rejects the credentials (they may have expired)", todo)
    if error.status == 403 and "exceeded quota" not in error.message and "is being terminated" not in error.message:
        return KubernetesDeniedError(where, error.action, error.message or "no reason was given")
    if conflicts := field_conflicts(error):
        return ManagedElsewhereError(where, conflicts)
    if error.status == 429:
        return KubernetesError(where, "the API server limits the request rate", "Run the command again: it resumes.")
    what = f"{error.action}: {error.message or 'no reason was given'} ({error.status})"
    if "is being terminated" in error.message:
        todo = "Wait until the namespace is deleted, or set another `namespace`, and deploy again."
        return KubernetesError(where, what, todo, status=error.status)
    todo = "Run the command again: it resumes." if error.status >= 500 else ""
    return KubernetesError(where, what, todo, status=error.status)


def field_conflicts(error: ApiStatusError) -> tuple[str, ...]:
    """Return the fields that server-side apply reports as owned by other managers; empty for any other error."""
    causes = rows(error.details, "causes")
    return tuple(_conflict(each) for each in causes if text(each, "reason") == "FieldManagerConflict")


def _conflict(cause: Document) -> str:
    manager = _MANAGER.search(text(cause, "message"))
    return f"{text(cause, 'field')}, which {manager['manager'] if manager else 'another manager'} sets"


def _parse_status(body: str) -> Document:
    try:
        parsed = parse_json(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) and number(parsed, "code") >= 0 else {}


_UNWANTED = "kubernetes_validate"


@contextmanager
def _without(module: str) -> Iterator[None]:
    if module in sys.modules:  # already imported
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # makes its import fail
    try:
        yield
    finally:
        del sys.modules[module]


with _without(_UNWANTED):
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.incluster_config import load_incluster_config
    from kubernetes.config.kube_config import KubeConfigMerger, load_kube_config
    from kubernetes.stream.ws_client import WSClient, create_websocket, get_websocket_url

__all__ = [
    "ApiClient",
    "ApiException",
    "ConfigException",
    "Configuration",
    "KubeConfigMerger",
    "WSClient",
    "create_websocket",
    "get_websocket_url",
    "load_incluster_config",
    "load_kube_config",
]
