"""Microsoft Entra: the token endpoint. Standard: OAuth 2.0, RFC 6749, client credentials grant."""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.azure.arm.state import CALLER, TENANT
from mldeploy.rehearsal.tokens import SECONDS, TokenSigner

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MANAGEMENT_AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
REGISTRY_AUDIENCES = ("https://containerregistry.azure.net",)


_TENANTS = ("organizations", "common", TENANT)


@dataclass(frozen=True)
class ServicePrincipal:
    """The rehearsal's service principal. client: its application id."""

    client: str
    secret: str


class Entra:
    """A WSGI application. base: its URL, without a path."""

    def __init__(self, app: ServicePrincipal, tokens: TokenSigner, base: str) -> None:
        self._app = app
        self._tokens = tokens
        self._base = base

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        tenant, _, path = request.path.strip("/").partition("/")
        if tenant not in _TENANTS:
            what = f"AADSTS90002: Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
            return error_response(400, "invalid_tenant", what)(environ, start)
        if path.endswith(".well-known/openid-configuration"):
            return _json_response(200, self._openid_configuration(tenant))(environ, start)
        if path == "oauth2/v2.0/token" and request.method == "POST":
            return self._grant_token(request.form)(environ, start)
        return error_response(404, "not_found", "AADSTS900144: There is nothing at this address.")(environ, start)

    def _openid_configuration(self, tenant: str) -> Mapping[str, object]:
        """Return the provider metadata. Standard: OpenID Connect Discovery 1.0."""
        tenant_url = f"{self._base}/{tenant}"
        return {
            "issuer": f"{self._base}/{TENANT}/v2.0",
            "token_endpoint": f"{tenant_url}/oauth2/v2.0/token",
            "authorization_endpoint": f"{tenant_url}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{tenant_url}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{tenant_url}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _grant_token(self, form: Mapping[str, str]) -> Response:
        grant = form.get("grant_type", "")
        if grant != "client_credentials":
            what = f"AADSTS70003: The app requested an unsupported grant type '{grant}'."
            return error_response(400, "unsupported_grant_type", what)
        if form.get("client_id") != self._app.client:
            who = form.get("client_id", "")
            what = f"AADSTS700016: Application with identifier '{who}' was not found in the directory '{TENANT}'."
            return error_response(400, "unauthorized_client", what)
        if not hmac.compare_digest(form.get("client_secret", "").encode(), self._app.secret.encode()):
            what = f"AADSTS7000215: Invalid client secret provided for app '{self._app.client}'."
            return error_response(401, "invalid_client", what)
        audience = form.get("scope", "").removesuffix(".default").rstrip("/")
        if not audience:
            what = "AADSTS70011: The provided value for the input parameter 'scope' is not valid."
            return error_response(400, "invalid_scope", what)
        return _json_response(
            200, {"token_type": "Bearer", "expires_in": SECONDS, "access_token": self._issue_token(audience)}
        )

    def _issue_token(self, audience: str) -> str:
        names = {"iss": f"{self._base}/{TENANT}/", "tid": TENANT, "appid": self._app.client, "oid": CALLER}
        return self._tokens.issue(audience, **names, sub=CALLER, idtyp="app", ver="1.0")


def error_response(status: int, error: str, what: str) -> Response:
    """Return an error response. Standard: RFC 6749, "Error Response", with Entra's additional fields."""
    trace = {"trace_id": str(uuid.uuid4()), "correlation_id": str(uuid.uuid4())}
    return _json_response(status, {"error": error, "error_description": what, **trace})


def _json_response(status: int, body: Mapping[str, object]) -> Response:
    return Response(json.dumps(body), status, content_type="application/json; charset=utf-8")
