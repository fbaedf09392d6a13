"""What comes over HTTPS: requests for tokens, Compute Engine, Resource Manager; and how Google says no there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.door.faults import Kind
from mldeploy.rehearsal.gcp.compute.rest import SERVICE, Compute, permission, written
from mldeploy.rehearsal.gcp.language import Gate
from mldeploy.rehearsal.gcp.refusals import ApiError
from mldeploy.rehearsal.gcp.resources import PATH as RESOURCES
from mldeploy.rehearsal.gcp.resources import PERMISSION as ASKING
from mldeploy.rehearsal.gcp.resources import ResourceManager
from mldeploy.rehearsal.gcp.tokens import GrantError, Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.door.frontdoor import Application

TOKEN_PATH = "/token"  # noqa: S105 - a path
TOKEN_ACTION = "iam.serviceAccounts.getAccessToken"  # noqa: S105 - a permission's name
"""IAM's name of it where one account asks for another's token. For one's own token nobody needs a permission."""


class Https:
    """A WSGI application: the token endpoint, Compute Engine, and Resource Manager."""

    def __init__(self, tokens: Tokens, compute: Compute, resources: ResourceManager) -> None:
        self._tokens = tokens
        self._compute = compute
        self._resources = resources

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if RESOURCES.fullmatch(request.path):
            return self._resources(environ, start)
        if request.path != TOKEN_PATH:
            return self._compute(environ, start)
        return self._token(request)(environ, start)

    def _token(self, request: Request) -> Response:
        try:
            token = self._tokens.exchanged(request.form.to_dict())
        except GrantError as error:
            return written({"error": error.error, "error_description": str(error)}, 400)
        return written({"access_token": token.text, "expires_in": token.seconds, "token_type": "Bearer"})


@dataclass(frozen=True)
class Asked:
    """A request that has been understood."""

    action: str
    is_writing: bool
    authorization: str


class GoogleLanguage:
    """`mldeploy.rehearsal.door.frontdoor.Language` of Google's REST services."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def understood(self, environ: WSGIEnvironment, body: bytes) -> Asked:
        method, path = str(environ["REQUEST_METHOD"]), str(environ.get("PATH_INFO", ""))
        if path == TOKEN_PATH:
            return Asked(TOKEN_ACTION, False, "")
        if RESOURCES.fullmatch(path):
            return Asked(ASKING, False, str(environ.get("HTTP_AUTHORIZATION", "")))
        return Asked(permission(method, path), method != "GET", str(environ.get("HTTP_AUTHORIZATION", "")))

    def turned_away(self, asked: Asked) -> Application | None:
        if asked.action == TOKEN_ACTION:
            return None
        try:
            self._gate.admit(asked.authorization)
        except ApiError as error:
            return written(error.body, error.http_status)
        return None

    def refusal(self, kind: Kind, asked: Asked) -> Application:
        error = self._gate.refusal(kind, SERVICE, asked.action)
        if error is None:
            raise ValueError(kind)
        if asked.action == TOKEN_ACTION:
            word = "access_denied" if kind is Kind.DENIED else "temporarily_unavailable"
            return written({"error": word, "error_description": error.message}, error.http_status)
        return written(error.body, error.http_status)
