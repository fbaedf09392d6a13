"""What can go wrong between us and an API server, and how its words become ours.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#response-status-kind
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import urllib3.exceptions as http
from websocket import WebSocketException

from mldeploy.core.errors import ExitCode, MldeployError, RefusedError
from mldeploy.providers.kubernetes.reading import Document, number, rows, table, text
from mldeploy.providers.kubernetes.sdk import ApiException, ConfigException


class KubernetesError(MldeployError):
    """The API server did not answer, or not as it should. status: HTTP's, 0 if there was no answer."""

    code = ExitCode.REMOTE

    def __init__(self, where: str, what: str, todo: str = "", *, status: int = 0) -> None:
        super().__init__(where, what, todo)
        self.status = status


class CredentialsError(MldeployError):
    """There are no credentials for a cluster, or it does not accept those that there are."""

    code = ExitCode.ACCESS


class DeniedError(MldeployError):
    """A permission is missing. action: RBAC's verb and resource, `patch deployments.apps`."""

    code = ExitCode.ACCESS

    def __init__(self, where: str, action: str, said: str) -> None:
        todo = f"Have it allowed ({action}): `mldeploy policy` prints a Role that has all that is needed."
        super().__init__(where, f"there is no permission to {action}: {said}", todo)
        self.action = action


class ManagedElsewhereError(RefusedError):
    """A field that we set belongs to another manager. conflicts: `.spec.replicas, which kubectl sets`."""

    def __init__(self, where: str, conflicts: tuple[str, ...]) -> None:
        todo = (
            "Nothing was changed. Let the other one give the field up "
            "(`kubectl apply --server-side --field-manager=NAME` without it), or take it out of mldeploy.toml."
        )
        super().__init__(where, f"somebody else manages {'; '.join(conflicts)}", todo)
        self.conflicts = conflicts


class Refusal(Exception):  # noqa: N818 - it becomes an error only where nobody expects it
    """An answer of the API server that is not a success; never seen outside of this folder.

    status: HTTP's. reason: a word of the API's ("NotFound", "Conflict", "Invalid", "Forbidden"), "" if it has none.
    """

    def __init__(self, action: str, status: int, body: str) -> None:
        super().__init__(f"{action}: {status}")
        found = _status(body)
        self.action = action
        self.status = status
        self.reason = text(found, "reason")
        self.said = " ".join((text(found, "message") or body).split())[:SAID_LENGTH]
        self.details = table(found, "details")


SAID_LENGTH = 600
_MANAGER = re.compile(r'conflict with "(?P<manager>[^"]*)"')
_DOWN = "Check that the cluster runs and can be reached from here (VPN, proxy), then run the command again: it resumes."
_ANSWERS = (ConnectionError, TimeoutError, http.HTTPError, ssl.SSLError, WebSocketException)


@contextmanager
def kubernetes_errors(where: str) -> Iterator[None]:
    """Turn whatever the SDK raises into a MldeployError about `where`. What is caught inside passes unseen."""
    try:
        yield
    except (Refusal, ApiException, ConfigException, *_ANSWERS) as error:
        raise translated(where, error) from error


def translated(where: str, error: Exception) -> MldeployError:
    """The MldeployError for what was raised."""
    if isinstance(error, Refusal):
        return _refused(where, error)
    if isinstance(error, ConfigException):
        return CredentialsError(where, f"the credentials cannot be used: {_line(error)}", "Correct the kubeconfig.")
    if "CERTIFICATE" in str(error).upper():
        todo = "See `certificate-authority-data` of the cluster in the kubeconfig, and the clock of this machine."
        return KubernetesError(where, f"the API server's certificate is not trusted: {_line(error)}", todo)
    return KubernetesError(where, f"the API server does not answer: {_line(error)}", _DOWN)


def _refused(where: str, error: Refusal) -> MldeployError:
    if error.status == 401:
        todo = "Sign in to the cluster again; a token of the kubeconfig, or of its plugin, lasts for a while only."
        return CredentialsError(where, "the API server does not accept the credentials (they may have expired)", todo)
    if error.status == 403 and "exceeded quota" not in error.said and "is being terminated" not in error.said:
        return DeniedError(where, error.action, error.said or "no reason was given")
    if conflicts := conflicts_of(error):
        return ManagedElsewhereError(where, conflicts)
    if error.status == 429:
        return KubernetesError(where, "the API server is asked too often", "Run the command again: it resumes.")
    what = f"{error.action}: {error.said or 'no reason was given'} ({error.status})"
    if "is being terminated" in error.said:
        todo = "Wait until the namespace is gone, or choose another one (`namespace`), and deploy again."
        return KubernetesError(where, what, todo, status=error.status)
    todo = "It may pass: run the command again, it resumes." if error.status >= 500 else ""
    return KubernetesError(where, what, todo, status=error.status)


def conflicts_of(error: Refusal) -> tuple[str, ...]:
    """What server-side apply says belongs to others: a field and its manager each, nothing for any other refusal."""
    causes = rows(error.details, "causes")
    return tuple(_conflict(each) for each in causes if text(each, "reason") == "FieldManagerConflict")


def _conflict(cause: Document) -> str:
    found = _MANAGER.search(text(cause, "message"))
    return f"{text(cause, 'field')}, which {found['manager'] if found else 'another manager'} sets"


def _status(body: str) -> Document:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and number(found, "code") >= 0 else {}


def _line(error: Exception) -> str:
    """The innermost reason: urllib3 wraps each in several others."""
    inner: BaseException = error
    while isinstance(inner, http.MaxRetryError) and inner.reason is not None:
        inner = inner.reason
    reason = " ".join(str(inner).split()).rstrip(".")
    return re.sub(r"^\w*(?:Connection|Pool)\w*\(.*?\): ", "", reason) or type(inner).__name__
