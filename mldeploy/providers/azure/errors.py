"""What can go wrong between us and Azure, and how the SDK's words become ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from azure.core.exceptions import (
    AzureError as SdkError,
)
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)

from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.providers.azure.actions import action_of

T = TypeVar("T")


class AzureError(MldeployError):
    """Azure did not answer, or not as it should."""

    code = ExitCode.REMOTE


class CredentialsError(MldeployError):
    """There are no credentials, or Azure does not accept those that there are."""

    code = ExitCode.ACCESS


class DeniedError(MldeployError):
    """A permission is missing. action: Azure's name of it (`Microsoft.Web/sites/write`). scope: a resource, or ""."""

    code = ExitCode.ACCESS

    def __init__(self, where: str, who: str, action: str, scope: str = "", todo: str = "") -> None:
        on = f" on {scope}" if scope else ""
        advice = todo or f"Have a role that allows {action}{on} assigned: `mldeploy policy` prints one."
        super().__init__(where, f"{who} has no permission for {action}{on}", advice)
        self.action = action
        self.scope = scope


class QuotaError(MldeployError):
    """The subscription may not have so much of something in this region."""

    code = ExitCode.REMOTE


@contextmanager
def azure_errors(where: str) -> Iterator[None]:
    """Turn whatever the SDK raises into a MldeployError about `where`. What is caught inside passes unseen."""
    try:
        yield
    except SdkError as error:
        raise translated(where, error) from error


def found(ask: Callable[[], T]) -> T | None:
    """What was asked for, or None if Azure says that there is no such thing. Any other 404 is a doubt, and raises."""
    try:
        return ask()
    except (ResourceNotFoundError, ResourceExistsError) as error:
        if is_absent(error):
            return None
        raise


def is_absent(error: HttpResponseError) -> bool:
    """Whether an answer says that the resource is not there: not its subscription, and not whatever is on the way.

    A subscription has nothing of a kind for which it is not even registered.
    """
    code = code_of(error)
    if error.status_code == 409:
        return code == "MissingSubscriptionRegistration"
    return error.status_code == 404 and code.endswith("NotFound") and "Subscription" not in code


def code_of(error: HttpResponseError) -> str:
    """Azure's own name of an error: `ResourceGroupNotFound`."""
    return told(error)[0]


def told(error: HttpResponseError) -> tuple[str, str]:
    """Code and message, in either of the forms in which Azure's services tell them; failing that, what the SDK says."""
    body = _body(error)
    inner = body.get("error")
    table = inner if isinstance(inner, dict) else body
    code = table.get("code") or table.get("Code") or (error.error.code if error.error else "")
    message = table.get("message") or table.get("Message") or (error.error.message if error.error else "")
    return str(code or ""), _one_line(str(message or error.message or ""))


def _body(error: HttpResponseError) -> dict[str, object]:
    if error.response is None:
        return {}
    try:
        body = json.loads(error.response.text())
    except (ValueError, AttributeError, TypeError, SdkError):
        return {}
    return body if isinstance(body, dict) else {}


def translated(where: str, error: SdkError) -> MldeployError:
    """The MldeployError for what the SDK raised."""
    if isinstance(error, ClientAuthenticationError) and not _is_quota(error):
        return _unauthenticated(where, error)
    if isinstance(error, HttpResponseError):
        return _refusal(where, error)
    text = _one_line(str(error)).rstrip(".")
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        if "CERTIFICATE" in text.upper():
            todo = "Where something inspects TLS on the way, name its certificates in REQUESTS_CA_BUNDLE."
            return AzureError(where, f"the connection to Azure is not trusted: {text}", todo)
        todo = "Check the network and the proxy (HTTPS_PROXY); then run the command again: it resumes."
        return AzureError(where, f"Azure does not answer: {text}", todo)
    return AzureError(where, text)


SIGN_IN = "Sign in again: `az login`; or correct AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET."

_BUSY = frozenset({"TooManyRequests", "SubscriptionRequestsThrottled", "ResourceRequestsThrottled"})
_UNKNOWN_SUBSCRIPTION = frozenset({"SubscriptionNotFound", "InvalidSubscriptionId", "InvalidSubscription"})
_AADSTS = re.compile(r"(?P<code>AADSTS\d+): (?P<said>[^.\r\n]+)")


def _unauthenticated(where: str, error: ClientAuthenticationError) -> MldeployError:
    """https://learn.microsoft.com/entra/identity-platform/reference-error-codes"""
    code, said = told(error)
    if error.status_code == 403:
        return _denied(where, error, said)
    if match := _AADSTS.search(f"{said} {error}"):
        what = f"Microsoft Entra does not accept the credentials: {match['said']} ({match['code']})"
        return CredentialsError(where, what, SIGN_IN)
    if "Expired" in code or "expired" in said:
        return CredentialsError(where, "the credentials have expired", SIGN_IN)
    return CredentialsError(where, f"Azure does not accept the credentials: {said or code}".rstrip("."), SIGN_IN)


def _refusal(where: str, error: HttpResponseError) -> MldeployError:
    code, said = told(error)
    status = error.status_code or 0
    if _is_quota(error):
        todo = "Ask for more in the portal (Quotas), or choose another `region` or size in the target's table."
        return QuotaError(where, f"the subscription's quota does not allow it: {said}".rstrip("."), todo)
    if code in _UNKNOWN_SUBSCRIPTION:
        todo = "Name one that you may use: `subscription` in the target's table; `az account list` lists them."
        return CredentialsError(where, said.rstrip(".") or "there is no such subscription", todo)
    if status == 403 or code == "AuthorizationFailed":
        return _denied(where, error, said)
    if status == 429 or code in _BUSY:
        todo = "Wait a minute and run the command again: it resumes."
        return AzureError(where, f"Azure is asked too often ({code or status})", todo)
    todo = "It may pass: run the command again, it resumes." if status >= 500 else ""
    return AzureError(where, f"{said.rstrip('.') or 'no reason was given'} ({code or status})", todo)


def _is_quota(error: HttpResponseError) -> bool:
    """App Service tells an exhausted quota as 401 `Unauthorized`, others by codes of their own."""
    code, said = told(error)
    return "quota" in code.lower() or ("quota" in said.lower() and (error.status_code or 0) in (400, 401, 403, 409))


_REASON = re.compile(
    r"The client '(?P<who>[^']+)'.*? does not have (?:authorization|permission) to perform action '(?P<action>[^']+)'"
    r"(?:.*? over scope '(?P<scope>[^']+)')?"
)
_LINKED = re.compile(r"does not have permission to perform action(?:\(s\))? '(?P<action>[^']+)' on the linked scope")


def _denied(where: str, error: HttpResponseError, said: str) -> DeniedError:
    """Azure names who, what and on what in a sentence; where it does not, the request says what it needs."""
    linked, reason = _LINKED.search(said), _REASON.search(said)
    if linked:
        return DeniedError(where, "the account", linked["action"])
    if reason:
        scope = reason["scope"] or ""
        return DeniedError(where, reason["who"], reason["action"], scope, _remedy(reason["action"]))
    request = getattr(error.response, "request", None)
    action = action_of(str(request.method), str(request.url)) if request is not None else said
    return DeniedError(where, "the account", action, "", _remedy(action))


def _remedy(action: str) -> str:
    if action.lower() != "microsoft.authorization/roleassignments/write":
        return ""
    return (
        "Have somebody who may assign roles (Owner, User Access Administrator) run this once, or let the registry's "
        'admin user do it: `registry_auth = "admin"` in the target\'s table, or --registry-auth admin.'
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
