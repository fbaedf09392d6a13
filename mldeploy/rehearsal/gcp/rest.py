"""What comes over HTTPS: requests for tokens, Compute Engine, Resource Manager; and how Google says no there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.gateway.faults import FaultKind
from mldeploy.rehearsal.gcp.compute.api import SERVICE, ComputeApi, json_response, required_permission
from mldeploy.rehearsal.gcp.errors import ApiError
from mldeploy.rehearsal.gcp.resource_manager import PATH as RESOURCES
from mldeploy.rehearsal.gcp.resource_manager import PERMISSIONS as RESOURCE_PERMISSIONS
from mldeploy.rehearsal.gcp.resource_manager import ResourceManagerApi
from mldeploy.rehearsal.gcp.service_accounts import PATH as ACCOUNTS
from mldeploy.rehearsal.gcp.service_accounts import SERVICE as IAM
from mldeploy.rehearsal.gcp.service_accounts import ServiceAccountsApi
from mldeploy.rehearsal.gcp.service_accounts import required_permission as account_permission
from mldeploy.rehearsal.gcp.tokens import GoogleAuthenticator, GoogleTokens, GrantError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application

TOKEN_PATH = "/token"  # noqa: S105 - a path
TOKEN_ACTION = "iam.serviceAccounts.getAccessToken"  # noqa: S105 - a permission's name
"""IAM's permission to get another account's token. An account's own token needs no permission."""


class GoogleRestApplication:
    """A WSGI application: the token endpoint, Compute Engine, Resource Manager, and IAM."""

    def __init__(
        self, tokens: GoogleTokens, compute: ComputeApi, resources: ResourceManagerApi, accounts: ServiceAccountsApi
    ) -> None:
        self._tokens = tokens
        self._compute = compute
        self._resources = resources
        self._accounts = accounts

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if RESOURCES.fullmatch(request.path):
            return self._resources(environ, start)
        if ACCOUNTS.fullmatch(request.path):
            return self._accounts(environ, start)
        if request.path != TOKEN_PATH:
            return self._compute(environ, start)
        return self._token(request)(environ, start)

    def _token(self, request: Request) -> Response:
        form = request.form.to_dict()
        try:
            if self._tokens.wants_identity(form):
                return json_response({"id_token": self._tokens.exchange_for_identity(form)})
            token = self._tokens.exchange(form)
        except GrantError as error:
            return json_response({"error": error.error, "error_description": str(error)}, 400)
        return json_response({"access_token": token.text, "expires_in": token.seconds, "token_type": "Bearer"})


@dataclass(frozen=True)
class GoogleRestRequest:
    """A parsed REST request."""

    action: str
    is_writing: bool
    authorization: str = ""
    quota_project: str = ""
    service: str = SERVICE


class GoogleRestAdapter:
    """`mldeploy.rehearsal.gateway.fault_proxy.ProtocolAdapter` of Google's REST services."""

    def __init__(self, authenticator: GoogleAuthenticator) -> None:
        self._authenticator = authenticator

    def parse_request(self, environ: WSGIEnvironment, body: bytes) -> GoogleRestRequest:
        method, path = str(environ["REQUEST_METHOD"]), str(environ.get("PATH_INFO", ""))
        if path == TOKEN_PATH:
            return GoogleRestRequest(TOKEN_ACTION, False)
        headers = (str(environ.get(f"HTTP_{name}", "")) for name in ("AUTHORIZATION", "X_GOOG_USER_PROJECT"))
        if parts := RESOURCES.fullmatch(path):
            return GoogleRestRequest(RESOURCE_PERMISSIONS[parts["method"]], False, *headers)
        if ACCOUNTS.fullmatch(path):
            permission = account_permission(method, path)
            is_writing = method != "GET" and not permission.endswith(".getIamPolicy")
            return replace(GoogleRestRequest(permission, is_writing, *headers), service=IAM)
        return GoogleRestRequest(required_permission(method, path), method != "GET", *headers)

    def authenticate(self, request: GoogleRestRequest) -> Application | None:
        if request.action == TOKEN_ACTION:
            return None
        try:
            self._authenticator.authenticate(request.authorization, request.quota_project)
        except ApiError as error:
            return json_response(error.body, error.http_status)
        return None

    def refusal(self, kind: FaultKind, request: GoogleRestRequest) -> Application:
        error = self._authenticator.refusal(kind, request.service, request.action)
        if error is None:
            raise ValueError(kind)
        if request.action == TOKEN_ACTION:
            word = "access_denied" if kind is FaultKind.DENIED else "temporarily_unavailable"
            return json_response({"error": word, "error_description": error.message}, error.http_status)
        return json_response(error.body, error.http_status)
