"""The ProtocolAdapter of Azure: parses requests and forms the error responses of Resource Manager and Entra."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mldeploy.rehearsal.azure import entra
from mldeploy.rehearsal.azure.arm.routes import Router, derive_permission
from mldeploy.rehearsal.azure.arm.schema import ArmError
from mldeploy.rehearsal.azure.arm.state import CALLER, SUBSCRIPTION, TENANT
from mldeploy.rehearsal.azure.containerapps.log_stream import is_log_stream
from mldeploy.rehearsal.azure.entra import MANAGEMENT_AUDIENCES
from mldeploy.rehearsal.gateway.faults import FaultKind
from mldeploy.rehearsal.tokens import TokenSigner

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application

TOKEN, CONFIGURATION = "Entra/oauth2/token", "Entra/openid-configuration"
"""The action names of calls to Entra: Azure has no permission names for them."""
LOG_STREAM = "ContainerApps/logstream"
"""The action name of calls to log streams: their token is their permission."""


@dataclass(frozen=True)
class AzureRequest:
    """action: the needed permission, `Microsoft.Web/sites/write`. scope: the resource. token: the bearer token."""

    action: str
    is_writing: bool
    scope: str
    token: str = ""
    is_entra: bool = False
    is_log_stream: bool = False


class AzureAdapter:
    """router: the known calls. tokens: validates bearer tokens. base: the URL of the stand-in."""

    def __init__(self, router: Router, tokens: TokenSigner, base: str) -> None:
        self._router = router
        self._tokens = tokens
        self._base = base

    def parse_request(self, environ: WSGIEnvironment, body: bytes) -> AzureRequest:
        method, path = str(environ["REQUEST_METHOD"]), str(environ.get("PATH_INFO", ""))
        if is_entra(path):
            return AzureRequest(TOKEN if path.endswith("/token") else CONFIGURATION, False, path, is_entra=True)
        if is_log_stream(path):
            return AzureRequest(LOG_STREAM, False, path, is_log_stream=True)
        token = str(environ.get("HTTP_AUTHORIZATION", "")).removeprefix("Bearer ")
        match = self._router.find(method, path)
        if match is None:
            return AzureRequest(derive_permission(method, path), method not in ("GET", "HEAD"), path, token)
        return AzureRequest(match.action, match.route.is_writing, path, token)

    def authenticate(self, request: AzureRequest) -> Application | None:
        if request.is_entra or request.is_log_stream or self._tokens.read(request.token, *MANAGEMENT_AUDIENCES):
            return None
        what = "Authentication failed. The 'Authorization' header is missing."
        if request.token:
            what = "The access token is invalid: it was not issued by this tenant, or not for this audience."
        challenge = f'Bearer authorization_uri="{self._base}/{TENANT}", error="invalid_token"'
        code = "InvalidAuthenticationToken" if request.token else "AuthenticationFailed"
        return ArmError(401, code, what, {"WWW-Authenticate": challenge}).response()

    def refusal(self, kind: FaultKind, request: AzureRequest) -> Application:
        if request.is_entra:
            return _entra_error(kind, request)
        return _ARM[kind](request).response()


def is_entra(path: str) -> bool:
    """Return whether a path belongs to Entra rather than to Resource Manager."""
    return "/oauth2/" in path or "/.well-known/" in path or path.startswith("/common/discovery")


def _throttle_error(_request: AzureRequest) -> ArmError:
    what = f"The request is being throttled as the limit has been reached for operations of '{SUBSCRIPTION}'."
    return ArmError(429, "TooManyRequests", what, {"Retry-After": "0"})


def _server_error(_request: AzureRequest) -> ArmError:
    return ArmError(500, "InternalServerError", "Encountered internal server error.")


def _denied_error(request: AzureRequest) -> ArmError:
    """Standard: ARM, `AuthorizationFailed`."""
    what = f"does not have authorization to perform action '{request.action}' over scope '{request.scope}'"
    more = "or the scope is invalid. If access was recently granted, please refresh your credentials."
    return ArmError(403, "AuthorizationFailed", f"The client '{CALLER}' with object id '{CALLER}' {what} {more}")


_ARM = {FaultKind.THROTTLE: _throttle_error, FaultKind.ERROR: _server_error, FaultKind.DENIED: _denied_error}


def _entra_error(kind: FaultKind, request: AzureRequest) -> Application:
    if kind is FaultKind.DENIED:
        what = f"AADSTS53003: Access has been blocked by Conditional Access policies: {request.action}."
        return entra.error_response(400, "interaction_required", what)
    if kind is FaultKind.THROTTLE:
        answer = entra.error_response(
            429, "temporarily_unavailable", "AADSTS90033: The service is temporarily unavailable."
        )
        answer.headers["Retry-After"] = "0"
        return answer
    return entra.error_response(500, "server_error", "AADSTS90014: A transient error has occurred.")


class AzureApplication:
    """A WSGI application that serves Entra, the log streams and Resource Manager at one address."""

    def __init__(self, directory: Application, manager: Application, log_streams: Application) -> None:
        self._directory = directory
        self._manager = manager
        self._log_streams = log_streams

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        if is_log_stream(path):
            return self._log_streams(environ, start)
        return (self._directory if is_entra(path) else self._manager)(environ, start)
