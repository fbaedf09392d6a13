"""The data plane of Azure Container Registry: tokens. Standard: ACR, "Authenticate with an ACR access token".

A caller exchanges its Entra token for a refresh token of the registry, and the refresh token for scoped access tokens.
"""

from __future__ import annotations

import hmac
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.azure.arm.state import TENANT
from mldeploy.rehearsal.azure.entra import MANAGEMENT_AUDIENCES, REGISTRY_AUDIENCES
from mldeploy.rehearsal.registry.gateway import Manifest, challenge, parse_basic_auth, registry_error
from mldeploy.rehearsal.tokens import SECONDS, TokenSigner

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TOKEN_USER = "00000000-0000-0000-0000-000000000000"  # noqa: S105 - a name
"""The user name to send with a refresh token as the password."""
_SCOPE = re.compile(r"repository:(?P<name>[^:]+):(?P<actions>[\w,*]+)")
_WRONG = "authentication required, visit https://aka.ms/acr/authorization for more information."
_ALL = "*"


@dataclass
class RegistryRecord:
    """A registry. login: HOST:PORT of its login server. allows: whether a principal may `pull` or `push` now.

    admin: the admin user's name and passwords, empty while it is disabled. repositories: the pushed digests of each
    repository with their tags.
    """

    name: str
    login: str
    allows: Callable[[str, str], bool]
    admin: Callable[[], tuple[str, tuple[str, ...]]]
    repositories: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def missing(self, repository: str) -> str:
        """Return no error: the first push creates a repository."""
        return ""

    def keeps(self, repository: str, tag: str) -> str:
        return ""

    def pushed(self, manifest: Manifest) -> None:
        digests = self.repositories.setdefault(manifest.repository, {})
        for tags in digests.values():
            tags.discard(manifest.tag)
        digests.setdefault(manifest.digest, set()).update({manifest.tag} - {""})


class AcrAuthorizer:
    """Authorize requests to a registry by an access token of the registry or a password."""

    def __init__(self, registry: RegistryRecord, tokens: TokenSigner) -> None:
        self._registry = registry
        self._tokens = tokens

    def refusal(self, request: Request, repository: str, *, writing: bool) -> Response | None:
        if request.method == "DELETE":
            return registry_error(
                405, "UNSUPPORTED", "The operation is unsupported: no image is removed in a rehearsal."
            )
        actions = "pull,push" if writing else "pull"
        granted = self._granted_actions(request, repository)
        if granted is None:
            return self._challenge(repository, actions)
        if not repository or ("push" if writing else "pull") in granted:
            return None
        return self._challenge(repository, actions, ',error="insufficient_scope"')

    def _granted_actions(self, request: Request, repository: str) -> frozenset[str] | None:
        """Return the caller's actions on a repository; None: the credentials are not valid."""
        authorization = request.headers.get("Authorization", "")
        if not authorization.lower().startswith("bearer "):
            user, password = parse_basic_auth(authorization)
            principal = self.authenticate(user, password)
            return frozenset(self.list_actions(principal)) if principal else None
        claims = self._tokens.read(authorization.partition(" ")[2], self._registry.login)
        if claims is None or claims.get("kind") != "access":
            return None
        granted = [each["actions"] for each in claims["access"] if each["name"] == repository]
        return frozenset(action for each in granted for action in each)

    def authenticate(self, user: str, password: str) -> str:
        """Return the principal of a password, `admin` for the admin user; empty if the password is wrong."""
        name, passwords = self._registry.admin()
        if user and user == name:
            good = any(hmac.compare_digest(password.encode(), each.encode()) for each in passwords)
            return "admin" if good else ""
        claims = self._tokens.read(password, self._registry.login) if user == TOKEN_USER else None
        return str(claims["sub"]) if claims and claims.get("kind") == "refresh" else ""

    def list_actions(self, principal: str) -> Iterator[str]:
        """Yield the actions that a principal has now on each repository of this registry."""
        for action in ("pull", "push"):
            if principal == "admin" or self._registry.allows(principal, action):
                yield action

    def _challenge(self, repository: str, actions: str, error: str = "") -> Response:
        login = self._registry.login
        scope = f',scope="repository:{repository}:{actions}"' if repository else ""
        return challenge(f'Bearer realm="http://{login}/oauth2/token",service="{login}"{scope}{error}')


class AcrTokenEndpoint:
    """A WSGI application: the token endpoints `/oauth2/exchange` and `/oauth2/token`."""

    def __init__(self, registry: RegistryRecord, authorizer: AcrAuthorizer, tokens: TokenSigner) -> None:
        self._registry = registry
        self._authorizer = authorizer
        self._tokens = tokens
        self._issued: dict[str, tuple[str, float]] = {}

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        handler = self._exchange if request.path == "/oauth2/exchange" else self._token
        return handler(request)(environ, start)

    def _exchange(self, request: Request) -> Response:
        """Exchange an Entra token for a refresh token."""
        form = request.form
        if form.get("grant_type") != "access_token":
            return registry_error(400, "UNSUPPORTED", f"unsupported grant type '{form.get('grant_type', '')}'")
        if form.get("service") != self._registry.login:
            return registry_error(400, "BAD_REQUEST", f"service '{form.get('service', '')}' is not this registry")
        token = form.get("access_token", "")
        claims = self._tokens.read(token, *REGISTRY_AUDIENCES, *MANAGEMENT_AUDIENCES)
        if claims is None or form.get("tenant", TENANT) != TENANT:
            return registry_error(401, "UNAUTHORIZED", _WRONG)
        return _json_response({"refresh_token": self._refresh_token(claims["oid"])})

    def _refresh_token(self, principal: str) -> str:
        """Reuse a valid token: the engine pushes all layers again after the password has changed."""
        token, until = self._issued.get(principal, ("", 0.0))
        if time.monotonic() > until:
            token, until = (
                issue_refresh_token(self._tokens, self._registry.login, principal),
                time.monotonic() + SECONDS / 2,
            )
            self._issued[principal] = token, until
        return token

    def _token(self, request: Request) -> Response:
        """Exchange a refresh token or a password for an access token. Standard: Docker registry token specification."""
        values = request.values
        user, password = parse_basic_auth(request.headers.get("Authorization", ""))
        if request.method == "POST":
            user = values.get("username", TOKEN_USER)
            password = values.get("password") or values.get("refresh_token") or ""
        principal = self._authorizer.authenticate(user, password)
        if not principal:
            return registry_error(401, "UNAUTHORIZED", _WRONG)
        scopes = [part for each in values.getlist("scope") for part in each.split()]
        access = list(self._access(principal, scopes))
        token = self._tokens.issue(self._registry.login, kind="access", sub=principal, access=access)
        return _json_response({"access_token": token, "token": token, "expires_in": SECONDS})

    def _access(self, principal: str, scopes: Iterable[str]) -> Iterator[Mapping[str, object]]:
        granted = set(self._authorizer.list_actions(principal))
        for each in scopes:
            if parts := _SCOPE.fullmatch(each):
                requested = set(parts["actions"].split(","))
                actions = granted if _ALL in requested else granted & requested
                yield {"type": "repository", "name": parts["name"], "actions": sorted(actions)}


def issue_refresh_token(tokens: TokenSigner, login: str, principal: str) -> str:
    """Issue the refresh token of a principal for a registry. login: the registry's login server."""
    return tokens.issue(login, kind="refresh", sub=principal, grant_type="refresh_token", tenant=TENANT)


def _json_response(body: Mapping[str, object]) -> Response:
    return Response(json.dumps(body), content_type="application/json; charset=utf-8")
