"""Errors of Azure, and the translation of SDK errors into MldeployErrors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

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

from mldeploy.core.errors import (
    CredentialsError,
    DeniedError,
    ExitCode,
    MldeployError,
    QuotaError,
    translate_exceptions,
)
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Resource, Seen, Step

T = TypeVar("T")


class AzureError(MldeployError):
    """Azure does not answer, or returns an unexpected response."""

    code = ExitCode.REMOTE


class AzureCredentialsError(CredentialsError):
    """There are no credentials, or Azure rejects them."""


class AzureDeniedError(DeniedError):
    """A permission is missing. action: for example `Microsoft.Web/sites/write`. scope: a resource, or ""."""

    def __init__(self, where: str, who: str, action: str, scope: str = "", todo: str = "") -> None:
        on = f" on {scope}" if scope else ""
        advice = todo or f"Assign a role that allows {action}{on}: `mldeploy policy` prints one."
        super().__init__(where, f"{who} has no permission for {action}{on}", advice)
        self.action = action
        self.scope = scope


class AzureQuotaError(QuotaError):
    """A quota of the subscription is exhausted in the region."""


@contextmanager
def azure_errors(where: str) -> Iterator[None]:
    """Translate SDK errors into MldeployErrors about `where`."""
    with translate_exceptions(SdkError, lambda error: translate_error(where, error)):
        yield


def ignore_not_found(request: Callable[[], T]) -> T | None:
    """Return the response, or None if the resource does not exist. Raises any other 404."""
    try:
        return request()
    except (ResourceNotFoundError, ResourceExistsError) as error:
        if is_absent(error):
            return None
        raise


def is_absent(error: HttpResponseError) -> bool:
    """Whether a response says that the resource itself does not exist, rather than its subscription or a proxy's 404.

    A resource type whose provider is not registered has no resources.
    """
    code = error_code(error)
    if error.status_code == 409:
        return code == "MissingSubscriptionRegistration"
    return error.status_code == 404 and code.endswith("NotFound") and "Subscription" not in code


def error_code(error: HttpResponseError) -> str:
    """The error code of Azure, for example `ResourceGroupNotFound`."""
    return error_details(error)[0]


def error_details(error: HttpResponseError) -> tuple[str, str]:
    """The code and message of either error format of Azure; otherwise the SDK's message."""
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


def translate_error(where: str, error: SdkError) -> MldeployError:
    """The MldeployError for an SDK error."""
    if isinstance(error, ClientAuthenticationError) and not _is_quota(error):
        return _authentication_error(where, error)
    if isinstance(error, HttpResponseError):
        return _response_error(where, error)
    text = _one_line(str(error)).rstrip(".")
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        if "CERTIFICATE" in text.upper():
            todo = "If a proxy inspects TLS, set REQUESTS_CA_BUNDLE to its certificates."
            return AzureError(where, f"the connection to Azure is not trusted: {text}", todo)
        todo = "Check the network and the proxy (HTTPS_PROXY); then run the command again: it resumes."
        return AzureError(where, f"Azure does not answer: {text}", todo)
    return AzureError(where, text)


SIGN_IN = "Sign in again: `az login`; or correct AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET."

_BUSY = frozenset({"TooManyRequests", "SubscriptionRequestsThrottled", "ResourceRequestsThrottled"})
_UNKNOWN_SUBSCRIPTION = frozenset({"SubscriptionNotFound", "InvalidSubscriptionId", "InvalidSubscription"})
_AADSTS = re.compile(r"(?P<code>AADSTS\d+): (?P<message>[^.\r\n]+)")


def _authentication_error(where: str, error: ClientAuthenticationError) -> MldeployError:
    """https://learn.microsoft.com/entra/identity-platform/reference-error-codes"""
    code, message = error_details(error)
    if error.status_code == 403:
        return _denied_error(where, error, message)
    if match := _AADSTS.search(f"{message} {error}"):
        what = f"Microsoft Entra does not accept the credentials: {match['message']} ({match['code']})"
        return AzureCredentialsError(where, what, SIGN_IN)
    if "Expired" in code or "expired" in message:
        return AzureCredentialsError(where, "the credentials have expired", SIGN_IN)
    return AzureCredentialsError(
        where, f"Azure does not accept the credentials: {message or code}".rstrip("."), SIGN_IN
    )


def _response_error(where: str, error: HttpResponseError) -> MldeployError:
    code, message = error_details(error)
    status = error.status_code or 0
    if _ENVIRONMENTS.fullmatch(code):
        return AzureQuotaError(where, message.rstrip("."), SHARE_ENVIRONMENT)
    if _is_quota(error):
        todo = "Request an increase in the portal (Quotas), or choose another `region` or size in the target's table."
        return AzureQuotaError(where, f"the quota of the subscription is exceeded: {message}".rstrip("."), todo)
    if code in _UNKNOWN_SUBSCRIPTION:
        todo = "Set `subscription` in the target's table. `az account list` lists your subscriptions."
        return AzureCredentialsError(where, message.rstrip(".") or "there is no such subscription", todo)
    if status == 403 or code == "AuthorizationFailed":
        return _denied_error(where, error, message)
    if status == 429 or code in _BUSY:
        todo = "Wait a minute and run the command again: it resumes."
        return AzureError(where, f"Azure throttles requests ({code or status})", todo)
    todo = "The error may be temporary. Run the command again: it resumes." if status >= 500 else ""
    return AzureError(where, f"{message.rstrip('.') or 'no reason given'} ({code or status})", todo)


_ENVIRONMENTS = re.compile(r"MaxNumberOf\w*EnvironmentsInSubExceeded")
"""https://learn.microsoft.com/azure/container-apps/quotas"""
SHARE_ENVIRONMENT = (
    "Set `environment` to an existing one, choose another `region`, or request an increase in the portal (Quotas)."
)


def _is_quota(error: HttpResponseError) -> bool:
    """App Service reports an exhausted quota as 401 `Unauthorized`; other services have error codes for it."""
    code, message = error_details(error)
    return "quota" in code.lower() or ("quota" in message.lower() and (error.status_code or 0) in (400, 401, 403, 409))


_REASON = re.compile(
    r"The client '(?P<who>[^']+)'.*? does not have (?:authorization|permission) to perform action '(?P<action>[^']+)'"
    r"(?:.*? over scope '(?P<scope>[^']+)')?"
)
_LINKED = re.compile(r"does not have permission to perform action(?:\(s\))? '(?P<action>[^']+)' on the linked scope")


def _denied_error(where: str, error: HttpResponseError, message: str) -> AzureDeniedError:
    """The message names the account, action and scope. Otherwise the action follows from the request."""
    linked, reason = _LINKED.search(message), _REASON.search(message)
    if linked:
        return AzureDeniedError(where, "the account", linked["action"])
    if reason:
        scope = reason["scope"] or ""
        return AzureDeniedError(where, reason["who"], reason["action"], scope, _denied_todo(reason["action"]))
    request = getattr(error.response, "request", None)
    action = action_of(str(request.method), str(request.url)) if request is not None else message
    return AzureDeniedError(where, "the account", action, "", _denied_todo(action))


def _denied_todo(action: str) -> str:
    if action.lower() != "microsoft.authorization/roleassignments/write":
        return ""
    return (
        "Have an Owner or User Access Administrator run this once, or use the registry's admin user: "
        '`registry_auth = "admin"` in the target\'s table, or --registry-auth admin.'
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


StepT = TypeVar("StepT", bound=Step[Any, object])


def translate_errors(step: type[StepT]) -> type[StepT]:
    """Class decorator: probe, apply and undo of the step raise MldeployErrors about its resource."""
    probe, apply, undo = step.probe, step.apply, step.undo

    def checked_probe(self: StepT, cloud: Any, outs: Outputs) -> Seen[object] | None:
        with azure_errors(str(self.resource)):
            return probe(self, cloud, outs)

    def checked_apply(self: StepT, cloud: Any, outs: Outputs, seen: Seen[object] | None, monitor: Monitor) -> object:
        with azure_errors(str(self.resource)):
            return apply(self, cloud, outs, seen, monitor)

    def checked_undo(cloud: Any, key: Key, monitor: Monitor) -> bool:
        with azure_errors(str(Resource(step.kind, key))):
            return undo(cloud, key, monitor)

    step.probe, step.apply, step.undo = checked_probe, checked_apply, staticmethod(checked_undo)  # type: ignore[assignment, method-assign]
    return step


RESOURCES = "Microsoft.Resources"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_QUESTIONS = frozenset({"checknameavailability"})
"""POST requests that only read."""


def action_of(method: str, url: str) -> str:
    """`PUT …/providers/Microsoft.Web/sites/NAME` → `Microsoft.Web/sites/write`; empty if none is addressed."""
    parts = [part for part in unquote(urlsplit(url).path).split("/") if part]
    verb = "read" if parts and parts[-1].lower() in _QUESTIONS else _VERBS.get(method.upper(), "action")
    indexes = [at for at, part in enumerate(parts) if part.lower() == "providers"]
    if not indexes or indexes[-1] + 1 == len(parts):
        return _above(parts, verb)
    namespace, *rest = parts[indexes[-1] + 1 :]
    if not rest:
        return f"{RESOURCES}/subscriptions/providers/{verb}"
    return "/".join((namespace, *rest[0::2], verb))  # every other part is a name


def _above(parts: list[str], verb: str) -> str:
    """The action for resource groups and for lists over the subscription, which have no provider in the URL."""
    lowered = [part.lower() for part in parts]
    if lowered[:1] != ["subscriptions"]:
        return ""
    if "resourcegroups" not in lowered:
        return f"{RESOURCES}/subscriptions/{'/'.join((*parts[2::2], verb))}"
    inside = "/resources" if parts[lowered.index("resourcegroups") + 2 :] else ""
    return f"{RESOURCES}/subscriptions/resourceGroups{inside}/{verb}"
