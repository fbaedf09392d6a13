"""What can go wrong between us and Google Cloud, and how the SDK's words become ours.

https://cloud.google.com/apis/design/errors: a status, a sentence, and often an `ErrorInfo` that says more of why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from google.api_core import exceptions as api
from google.auth import exceptions as auth

from mldeploy.core.errors import ExitCode, MldeployError


class GcpError(MldeployError):
    """Google Cloud did not answer, or not as it should."""

    code = ExitCode.REMOTE


class CredentialsError(MldeployError):
    """There are no credentials, or Google does not accept those that there are."""

    code = ExitCode.ACCESS


class DeniedError(MldeployError):
    """A permission is missing. permission: IAM's name of it (`container.clusters.create`)."""

    code = ExitCode.ACCESS

    def __init__(self, where: str, permission: str, resource: str = "", todo: str = "") -> None:
        on = f" on {resource}" if resource else ""
        what = f"the credentials have no permission for {permission}{on}"
        super().__init__(where, what, todo or "Have a role granted that has it: `mldeploy policy` prints one.")
        self.permission = permission


class DisabledError(MldeployError):
    """An API is not enabled in the project. service: its name, `container.googleapis.com`."""

    code = ExitCode.ACCESS

    def __init__(self, where: str, service: str, project: str) -> None:
        command = f"gcloud services enable {service}" + (f" --project {project}" if project else "")
        todo = f"Enable it: `{command}`, or `mldeploy doctor --fix` with this target. It takes a minute to be known."
        super().__init__(where, f"the API {service} is not enabled" + (f" in {project}" if project else ""), todo)
        self.service = service


SIGN_IN = "Sign in again: `gcloud auth application-default login`."
AGAIN = "It may pass: run the command again, it resumes."


@contextmanager
def gcp_errors(where: str, permission: str) -> Iterator[None]:
    """Turn whatever the SDK raises into a MldeployError about `where`. What is caught inside passes unseen.

    permission: what the call needs, for where Google does not name what is missing.
    """
    try:
        yield
    except (api.GoogleAPIError, auth.GoogleAuthError) as error:
        raise translated(where, permission, error) from error


def translated(where: str, permission: str, error: Exception) -> MldeployError:
    """The MldeployError for what the SDK raised."""
    if isinstance(error, api.RetryError) and isinstance(error.cause, Exception):
        return translated(where, permission, error.cause)
    if isinstance(error, auth.GoogleAuthError):
        return unaccepted(where, error)
    if isinstance(error, api.Forbidden):
        return _refusal(where, permission, error)
    refused = line(error) if isinstance(error, api.Unauthorized) else refused_token(error)
    if refused:
        return CredentialsError(where, f"Google does not accept the credentials: {refused}", SIGN_IN)
    return _unanswered(where, error)


def _unanswered(where: str, error: Exception) -> GcpError:
    if isinstance(error, api.TooManyRequests):
        return GcpError(where, f"Google refuses for now: {line(error)}", f"A quota is used up, or too fast. {AGAIN}")
    if isinstance(error, api.ServiceUnavailable | api.GatewayTimeout):
        todo = "Check the network and the proxy (HTTPS_PROXY); then run the command again: it resumes."
        return GcpError(where, f"Google does not answer: {line(error)}", todo)
    return GcpError(where, line(error), AGAIN if isinstance(error, api.ServerError) else "")


def unaccepted(where: str, error: auth.GoogleAuthError) -> MldeployError:
    """For what goes wrong while a token is fetched."""
    if isinstance(error, auth.TransportError):
        todo = "Check the network, the proxy (HTTPS_PROXY), and the metadata server where this is a machine of Google."
        return GcpError(where, f"no access token can be fetched: {line(error)}", todo)
    if isinstance(error, auth.RefreshError):
        said = str(error.args[0]) if error.args else type(error).__name__
        return CredentialsError(
            where, f"Google does not accept the credentials: {_one_line(said).rstrip('.')}", SIGN_IN
        )
    return CredentialsError(where, f"the credentials cannot be used: {line(error)}", SIGN_IN)


_PLUGIN = re.compile(r"Getting metadata from plugin failed with error: (?P<said>.*)", re.DOTALL)


def refused_token(error: Exception) -> str:
    """Why no token was to be had for a gRPC call, where that is final; empty if that is not the matter.

    gRPC says UNAVAILABLE of it, as of a network that is down.
    """
    found = _PLUGIN.search(str(error))
    if found is None or not re.search(r"invalid_|unauthorized_|account not found|Reauthentication", found["said"]):
        return ""
    return _one_line(found["said"])


def line(error: Exception) -> str:
    """What the SDK says, in one line."""
    said = error.message if isinstance(error, api.GoogleAPICallError) else str(error)
    return _one_line(str(said)).rstrip(".") or type(error).__name__


_DISABLED = re.compile(r"API has not been used in project (?P<project>\S+) before or it is disabled")
_NAMED = (
    re.compile(r"Permission '(?P<permission>[\w.]+)' denied on resource '(?P<resource>[^']+)'"),
    re.compile(
        r"Required \"?'?(?P<permission>[\w]+\.[\w.]+)\"?'? permission(?:\(s\))? for \"?'?(?P<resource>[^\"'\s]+)"
    ),
)


def _refusal(where: str, permission: str, error: api.Forbidden) -> MldeployError:
    """Google says 403 of what is forbidden, of what is not enabled, and of a project that does not exist."""
    about: Mapping[str, str] = error.metadata or {}
    said = line(error)
    disabled = _DISABLED.search(said)
    if error.reason == "SERVICE_DISABLED" or disabled:
        consumer = about.get("consumer", "").removeprefix("projects/")
        service = about.get("service") or f"{permission.partition('.')[0]}.googleapis.com"
        return DisabledError(where, service, consumer or (disabled["project"] if disabled else ""))
    if of_project := _of_project(where, error.reason or "", said):
        return of_project
    named = next((found for pattern in _NAMED if (found := pattern.search(said))), None)
    if about.get("permission"):
        return DeniedError(where, about["permission"], about.get("resource", ""))
    if named:
        return DeniedError(where, named["permission"], named["resource"].rstrip(".,"))
    return DeniedError(where, permission)


def _of_project(where: str, reason: str, said: str) -> MldeployError | None:
    """Where it is no permission that is missing, but the project that cannot do it."""
    if reason in ("CONSUMER_INVALID", "USER_PROJECT_DENIED"):
        todo = "Correct it (`project` in the target's table), or have yourself let into it. It is never made here."
        return CredentialsError(where, f"the project does not exist, or does not know you: {said}", todo)
    if reason == "BILLING_DISABLED":
        return CredentialsError(where, f"the project has no billing account: {said}", "Link one in the console.")
    if re.search(r"(?i)insufficient .*quota", said):
        return GcpError(where, said, "Ask for more (console: IAM & Admin, Quotas), use less, or another region.")
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split())
