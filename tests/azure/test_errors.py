"""What Azure answers becomes one sentence: where, what, what to do, and an exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
)

from mldeploy.core.errors import ExitCode
from mldeploy.providers.azure.errors import (
    AzureDeniedError,
    AzureQuotaError,
    action_of,
    ignore_not_found,
    translate_error,
)

SUBSCRIPTION = "https://management.azure.com/subscriptions/1"
GROUP = f"{SUBSCRIPTION}/resourceGroups/g"
SITE = f"{GROUP}/providers/Microsoft.Web/sites/s"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/r"


@dataclass
class Asked:
    method: str = "PUT"
    url: str = f"{SITE}?api-version=2025-05-01"


@dataclass
class Answer:
    """As much of one of the SDK's as an error looks at."""

    status_code: int
    body: str
    reason: str = "because"
    request: Asked = field(default_factory=Asked)

    def text(self, encoding: str | None = None) -> str:
        return self.body


def error(status: int, body: object, kind: type[HttpResponseError] = HttpResponseError) -> HttpResponseError:
    answer = Answer(status, body if isinstance(body, str) else json.dumps(body))
    return kind(response=cast("Any", answer))


def arm(code: str, message: str) -> dict[str, object]:
    """Resource Manager's form."""
    return {"error": {"code": code, "message": message}}


def web(code: str, message: str) -> dict[str, object]:
    """App Service's."""
    return {"Code": code, "Message": message, "Details": []}


DENIED = (
    "The client 'ada@example.com' with object id '1' does not have authorization to perform action "
    "'Microsoft.Web/sites/write' over scope '/subscriptions/1/resourceGroups/g' or the scope is invalid."
)
LINKED = (
    "The client has permission to perform action 'Microsoft.Web/sites/write' on scope '/x'; however, it does not have "
    "permission to perform action(s) 'Microsoft.Web/serverfarms/join/action' on the linked scope(s) '/y'."
)


@pytest.mark.parametrize(
    ("raised", "code", "what", "todo"),
    [
        (
            error(403, arm("AuthorizationFailed", DENIED)),
            ExitCode.ACCESS,
            "ada@example.com has no permission",
            "policy",
        ),
        (
            error(403, arm("LinkedAuthorizationFailed", LINKED)),
            ExitCode.ACCESS,
            "Microsoft.Web/serverfarms/join/action",
            "role",
        ),
        (error(403, "<html>a proxy</html>"), ExitCode.ACCESS, "no permission for Microsoft.Web/sites/write", "role"),
        (
            error(409, web("Conflict", "Website with given name s already exists.")),
            ExitCode.REMOTE,
            "already exists",
            "",
        ),
        (error(500, arm("InternalServerError", "Sorry.")), ExitCode.REMOTE, "Sorry", "it resumes"),
        (error(429, arm("TooManyRequests", "Slow down.")), ExitCode.REMOTE, "throttles requests", "Wait a minute"),
        (error(404, arm("SubscriptionNotFound", "No such.")), ExitCode.ACCESS, "No such", "az account list"),
        (
            error(401, arm("ExpiredAuthenticationToken", "The access token has expired."), ClientAuthenticationError),
            ExitCode.ACCESS,
            "have expired",
            "az login",
        ),
        (
            error(
                401, web("Unauthorized", "Current Limit (Basic VMs): 0, additional quota"), ClientAuthenticationError
            ),
            ExitCode.REMOTE,
            "quota",
            "Quotas",
        ),
        (
            ClientAuthenticationError("AADSTS50034: The user does not exist."),
            ExitCode.ACCESS,
            "AADSTS50034",
            "az login",
        ),
        (ServiceRequestError("failed to resolve"), ExitCode.REMOTE, "does not answer", "HTTPS_PROXY"),
        (ServiceRequestError("CERTIFICATE_VERIFY_FAILED"), ExitCode.REMOTE, "not trusted", "REQUESTS_CA_BUNDLE"),
    ],
)
def test_what_is_told(raised: Exception, code: ExitCode, what: str, todo: str) -> None:
    translated = translate_error("site s", cast("Any", raised))
    assert translated.exit_code is code
    assert translated.where == "site s"
    assert what in translated.what
    assert todo in translated.todo
    assert "\n" not in translated.what


def test_a_quota_is_told_by_its_own_kind() -> None:
    raised = error(401, web("Unauthorized", "This region has quota of 0 instances."), ClientAuthenticationError)
    assert isinstance(translate_error("plan", raised), AzureQuotaError)


def test_a_permission_is_told_with_its_scope() -> None:
    translated = translate_error("site", error(403, arm("AuthorizationFailed", DENIED)))
    assert isinstance(translated, AzureDeniedError)
    assert (translated.action, translated.scope) == ("Microsoft.Web/sites/write", "/subscriptions/1/resourceGroups/g")


@pytest.mark.parametrize(
    "raised",
    [
        error(404, arm("ResourceNotFound", "The Resource was not found."), ResourceNotFoundError),
        error(404, arm("ResourceGroupNotFound", "Resource group 'g' could not be found."), ResourceNotFoundError),
        error(404, web("NotFound", "Cannot find Web site."), ResourceNotFoundError),
        error(409, arm("MissingSubscriptionRegistration", "Not registered."), ResourceExistsError),
    ],
)
def test_what_is_surely_absent(raised: HttpResponseError) -> None:
    assert ignore_not_found(lambda: _raise(raised)) is None


@pytest.mark.parametrize(
    "raised",
    [
        error(404, arm("SubscriptionNotFound", "No such subscription."), ResourceNotFoundError),
        error(404, "<html>a proxy's page</html>", ResourceNotFoundError),
        error(409, arm("Conflict", "Somebody else is at it."), ResourceExistsError),
        error(403, arm("AuthorizationFailed", DENIED)),
    ],
)
def test_a_doubt_is_not_taken_for_absence(raised: HttpResponseError) -> None:
    with pytest.raises(HttpResponseError):
        ignore_not_found(lambda: _raise(raised))


def _raise(raised: Exception) -> None:
    raise raised


@pytest.mark.parametrize(
    ("method", "url", "action"),
    [
        ("PUT", SITE, "Microsoft.Web/sites/write"),
        ("GET", f"{SITE}/config/web?api-version=1", "Microsoft.Web/sites/config/read"),
        ("POST", f"{SITE}/config/appsettings/list", "Microsoft.Web/sites/config/list/action"),
        ("POST", f"{SITE}/restart", "Microsoft.Web/sites/restart/action"),
        ("PATCH", f"{SITE}/providers/Microsoft.Resources/tags/default", "Microsoft.Resources/tags/write"),
        (
            "PUT",
            f"{REGISTRY}/providers/Microsoft.Authorization/roleAssignments/1",
            "Microsoft.Authorization/roleAssignments/write",
        ),
        (
            "POST",
            f"{SUBSCRIPTION}/providers/Microsoft.ContainerRegistry/checkNameAvailability",
            "Microsoft.ContainerRegistry/checkNameAvailability/read",
        ),
        ("GET", f"{SUBSCRIPTION}/providers/Microsoft.Web", "Microsoft.Resources/subscriptions/providers/read"),
        ("POST", f"{SUBSCRIPTION}/providers/Microsoft.Web/register", "Microsoft.Web/register/action"),
        ("DELETE", f"{SUBSCRIPTION}/resourcegroups/g", "Microsoft.Resources/subscriptions/resourceGroups/delete"),
        ("GET", f"{GROUP}/resources", "Microsoft.Resources/subscriptions/resourceGroups/resources/read"),
        ("GET", f"{SUBSCRIPTION}/resources", "Microsoft.Resources/subscriptions/resources/read"),
        ("GET", "https://login.microsoftonline.com/1/oauth2/token", ""),
    ],
)
def test_the_permission_that_a_request_needs(method: str, url: str, action: str) -> None:
    assert action_of(method, url) == action
