"""Errors of Google Cloud, and the translation of SDK errors into MldeployErrors.

https://cloud.google.com/apis/design/errors: a status, a message, and often an `ErrorInfo` with details.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from google.api_core import exceptions as api
from google.auth import exceptions as auth

from mldeploy.core.errors import CredentialsError, DeniedError, ExitCode, MldeployError, translate_exceptions


class GcpError(MldeployError):
    """Google Cloud does not answer, or returns an unexpected response."""

    code = ExitCode.REMOTE


class GcpCredentialsError(CredentialsError):
    """There are no credentials, or Google rejects them."""


class GcpDeniedError(DeniedError):
    """A permission is missing. permission: its name in IAM (`container.clusters.create`)."""

    def __init__(self, where: str, permission: str, resource: str = "", todo: str = "") -> None:
        on = f" on {resource}" if resource else ""
        what = f"the credentials have no permission for {permission}{on}"
        super().__init__(where, what, todo or "Grant a role that includes it: `mldeploy policy` prints one.")
        self.permission = permission


class DisabledError(MldeployError):
    """An API is not enabled in the project. service: its name, `container.googleapis.com`."""

    code = ExitCode.ACCESS

    def __init__(self, where: str, service: str, project: str) -> None:
        command = f"gcloud services enable {service}" + (f" --project {project}" if project else "")
        todo = f"Enable it: `{command}`, or `mldeploy doctor --fix` with this target. It takes about a minute."
        super().__init__(where, f"the API {service} is not enabled" + (f" in {project}" if project else ""), todo)
        self.service = service


SIGN_IN = "Sign in again: `gcloud auth application-default login`."
SET_QUOTA_PROJECT = "Choose a quota project: `gcloud auth application-default set-quota-project PROJECT`."
USE_SERVICES = "serviceusage.services.use"
"""The permission to use a project's quotas. Google checks it in the project of the header x-goog-user-project."""
RETRY_TODO = "The error may be temporary. Run the command again: it resumes."


@contextmanager
def gcp_errors(where: str, permission: str = "") -> Iterator[None]:
    """Translate SDK errors into MldeployErrors about `where`.

    permission: what the call needs, in case Google does not name the missing permission.
    """
    with translate_exceptions(
        (api.GoogleAPIError, auth.GoogleAuthError), lambda error: translate_error(where, permission, error)
    ):
        yield


def translate_error(where: str, permission: str, error: Exception) -> MldeployError:
    """The MldeployError for an SDK error."""
    if isinstance(error, api.RetryError) and isinstance(error.cause, Exception):
        return translate_error(where, permission, error.cause)
    if isinstance(error, auth.GoogleAuthError):
        return _translate_auth_error(where, error)
    if isinstance(error, api.Forbidden):
        return _forbidden_error(where, permission, error)
    refused = error_text(error) if isinstance(error, api.Unauthorized) else token_error(error)
    if refused:
        return GcpCredentialsError(where, f"Google does not accept the credentials: {refused}", SIGN_IN)
    return _unavailable_error(where, error)


def _unavailable_error(where: str, error: Exception) -> GcpError:
    if isinstance(error, api.TooManyRequests):
        return GcpError(
            where, f"Google throttles requests: {error_text(error)}", f"A quota or rate limit is exceeded. {RETRY_TODO}"
        )
    if isinstance(error, api.ServiceUnavailable | api.GatewayTimeout):
        todo = "Check the network and the proxy (HTTPS_PROXY); then run the command again: it resumes."
        return GcpError(where, f"Google does not answer: {error_text(error)}", todo)
    return GcpError(where, error_text(error), RETRY_TODO if isinstance(error, api.ServerError) else "")


def _translate_auth_error(where: str, error: auth.GoogleAuthError) -> MldeployError:
    """Translate an error of a token request."""
    if isinstance(error, auth.TransportError):
        todo = "Check the network, the proxy (HTTPS_PROXY) and, on Google Cloud, the metadata server."
        return GcpError(where, f"no access token can be fetched: {error_text(error)}", todo)
    if isinstance(error, auth.RefreshError):
        message = str(error.args[0]) if error.args else type(error).__name__
        return GcpCredentialsError(
            where, f"Google does not accept the credentials: {_one_line(message).rstrip('.')}", SIGN_IN
        )
    return GcpCredentialsError(where, f"the credentials cannot be used: {error_text(error)}", SIGN_IN)


_PLUGIN = re.compile(r"Getting metadata from plugin failed with error: (?P<message>.*)", re.DOTALL)


def token_error(error: Exception) -> str:
    """Why the token request of a gRPC call failed permanently; empty for other errors.

    gRPC reports it as UNAVAILABLE, like a network error.
    """
    match = _PLUGIN.search(str(error))
    if match is None or not re.search(r"invalid_|unauthorized_|account not found|Reauthentication", match["message"]):
        return ""
    return _one_line(match["message"])


def error_text(error: Exception) -> str:
    """The SDK's message in one line."""
    message = error.message if isinstance(error, api.GoogleAPICallError) else str(error)
    return _one_line(str(message)).rstrip(".") or type(error).__name__


_DISABLED = re.compile(r"API has not been used in project (?P<project>\S+) before or it is disabled")
_NAMED = (
    re.compile(r"Permission '(?P<permission>[\w.]+)' denied on resource '(?P<resource>[^']+)'"),
    re.compile(r"Permission '(?P<permission>[\w.]+)' denied on (?P<resource>service account \S+)"),
    re.compile(
        r"Required \"?'?(?P<permission>[\w]+\.[\w.]+)\"?'? permission(?:\(s\))? for \"?'?(?P<resource>[^\"'\s]+)"
    ),
)


def _forbidden_error(where: str, permission: str, error: api.Forbidden) -> MldeployError:
    """Google returns 403 for missing permissions, disabled APIs and unknown projects."""
    metadata: Mapping[str, str] = error.metadata or {}
    message = error_text(error)
    disabled = _DISABLED.search(message)
    if error.reason == "SERVICE_DISABLED" or disabled:
        consumer = metadata.get("consumer", "").removeprefix("projects/")
        service = metadata.get("service") or f"{permission.partition('.')[0]}.googleapis.com"
        return DisabledError(where, service, consumer or (disabled["project"] if disabled else ""))
    if of_project := _project_error(where, error.reason or "", message):
        return of_project
    named = next((match for pattern in _NAMED if (match := pattern.search(message))), None)
    if metadata.get("permission"):
        return GcpDeniedError(where, metadata["permission"], metadata.get("resource", ""))
    if named:
        return GcpDeniedError(where, named["permission"], named["resource"].rstrip(".,"))
    return GcpDeniedError(where, permission)


def _project_error(where: str, reason: str, message: str) -> MldeployError | None:
    """The error if the project is the cause: unknown, without billing, or over quota."""
    if reason == "USER_PROJECT_DENIED" or "serviceusage.services.use" in message:
        return _quota_project_error(where, message)
    if "requires a quota project" in message:
        return GcpCredentialsError(where, f"the credentials name no project for quotas: {message}", SET_QUOTA_PROJECT)
    if reason == "CONSUMER_INVALID":
        todo = "Correct `project` in the target's table, or request access. mldeploy does not create projects."
        return GcpCredentialsError(where, f"the project does not exist, or you have no access: {message}", todo)
    if reason == "BILLING_DISABLED":
        return GcpCredentialsError(where, f"the project has no billing account: {message}", "Link one in the console.")
    if re.search(r"(?i)insufficient .*quota", message):
        return GcpError(
            where, message, "Request an increase (console: IAM & Admin, Quotas), use less, or choose another region."
        )
    return None


def _quota_project_error(where: str, message: str) -> GcpDeniedError:
    """The user may not use the project that the credentials name for quotas.

    https://cloud.google.com/docs/authentication/troubleshoot-adc#user-creds-client-based
    """
    project = re.search(r"permission to use project (?P<id>[a-z0-9.:-]*[a-z0-9])", message)
    todo = f"Grant roles/serviceusage.serviceUsageConsumer in it (it takes minutes), or: {SET_QUOTA_PROJECT}"
    return GcpDeniedError(where, USE_SERVICES, f"the quota project {project['id']}" if project else "", todo)


def _one_line(text: str) -> str:
    return " ".join(text.split())
