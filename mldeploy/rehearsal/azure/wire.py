"""What a request to the front door asks for, and how Azure says no: Resource Manager in its form, Entra in its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mldeploy.rehearsal.azure import entra
from mldeploy.rehearsal.azure.arm.account import SUBSCRIPTION, TENANT
from mldeploy.rehearsal.azure.arm.authorization import CALLER
from mldeploy.rehearsal.azure.arm.errors import ArmError
from mldeploy.rehearsal.azure.arm.routes import Router, permission
from mldeploy.rehearsal.azure.tokens import MANAGEMENT
from mldeploy.rehearsal.door.faults import Kind
from mldeploy.rehearsal.tokens import Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.door.frontdoor import Application

TOKEN, CONFIGURATION = "Entra/oauth2/token", "Entra/openid-configuration"
"""What calls to Entra are called here: they need no permission that had a name."""


@dataclass(frozen=True)
class Asked:
    """action: the permission that it needs, `Microsoft.Web/sites/write`. scope: the resource. token: what was shown."""

    action: str
    is_writing: bool
    scope: str
    token: str = ""
    is_entra: bool = False


class AzureLanguage:
    """Which calls there are says the router; whose tokens are good says `tokens`. base: the URL of all of it."""

    def __init__(self, router: Router, tokens: Tokens, base: str) -> None:
        self._router = router
        self._tokens = tokens
        self._base = base

    def understood(self, environ: WSGIEnvironment, body: bytes) -> Asked:
        method, path = str(environ["REQUEST_METHOD"]), str(environ.get("PATH_INFO", ""))
        if is_entra(path):
            return Asked(TOKEN if path.endswith("/token") else CONFIGURATION, False, path, is_entra=True)
        token = str(environ.get("HTTP_AUTHORIZATION", "")).removeprefix("Bearer ")
        found = self._router.find(method, path)
        if found is None:
            return Asked(permission(method, path), method not in ("GET", "HEAD"), path, token)
        return Asked(found.action, found.route.is_writing, path, token)

    def turned_away(self, asked: Asked) -> Application | None:
        if asked.is_entra or self._tokens.read(asked.token, *MANAGEMENT):
            return None
        what = "Authentication failed. The 'Authorization' header is missing."
        if asked.token:
            what = "The access token is invalid: it was not issued by this tenant, or not for this audience."
        challenge = f'Bearer authorization_uri="{self._base}/{TENANT}", error="invalid_token"'
        code = "InvalidAuthenticationToken" if asked.token else "AuthenticationFailed"
        return ArmError(401, code, what, {"WWW-Authenticate": challenge}).response()

    def refusal(self, kind: Kind, asked: Asked) -> Application:
        if asked.is_entra:
            return _entra(kind, asked)
        return _ARM[kind](asked).response()


def is_entra(path: str) -> bool:
    """Whether Entra answers here, rather than Resource Manager."""
    return "/oauth2/" in path or "/.well-known/" in path or path.startswith("/common/discovery")


def _throttled(_asked: Asked) -> ArmError:
    what = f"The request is being throttled as the limit has been reached for operations of '{SUBSCRIPTION}'."
    return ArmError(429, "TooManyRequests", what, {"Retry-After": "0"})


def _failed(_asked: Asked) -> ArmError:
    return ArmError(500, "InternalServerError", "Encountered internal server error.")


def _denied(asked: Asked) -> ArmError:
    """Standard: ARM, `AuthorizationFailed`."""
    what = f"does not have authorization to perform action '{asked.action}' over scope '{asked.scope}'"
    more = "or the scope is invalid. If access was recently granted, please refresh your credentials."
    return ArmError(403, "AuthorizationFailed", f"The client '{CALLER}' with object id '{CALLER}' {what} {more}")


_ARM = {Kind.THROTTLE: _throttled, Kind.ERROR: _failed, Kind.DENIED: _denied}


def _entra(kind: Kind, asked: Asked) -> Application:
    if kind is Kind.DENIED:
        what = f"AADSTS53003: Access has been blocked by Conditional Access policies: {asked.action}."
        return entra.refused(400, "interaction_required", what)
    if kind is Kind.THROTTLE:
        answer = entra.refused(429, "temporarily_unavailable", "AADSTS90033: The service is temporarily unavailable.")
        answer.headers["Retry-After"] = "0"
        return answer
    return entra.refused(500, "server_error", "AADSTS90014: A transient error has occurred.")


class Azure:
    """A WSGI application: Entra and Resource Manager at one address."""

    def __init__(self, directory: Application, manager: Application) -> None:
        self._directory = directory
        self._manager = manager

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        answers = self._directory if is_entra(str(environ.get("PATH_INFO", ""))) else self._manager
        return answers(environ, start)
