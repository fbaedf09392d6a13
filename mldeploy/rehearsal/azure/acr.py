"""The data plane of Azure's registries: who may push and pull. Standard: ACR, "Authenticate with an ACR access token".

A caller exchanges its Entra token for a refresh token of the registry, and that for access tokens of limited scope.
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

from mldeploy.rehearsal.azure.arm.account import TENANT
from mldeploy.rehearsal.azure.tokens import MANAGEMENT, REGISTRIES
from mldeploy.rehearsal.registry.door import Manifest, basic, challenge, refused
from mldeploy.rehearsal.tokens import SECONDS, Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TOKEN_USER = "00000000-0000-0000-0000-000000000000"  # noqa: S105 - a name
"""The user whose password is a refresh token."""
_SCOPE = re.compile(r"repository:(?P<name>[^:]+):(?P<actions>[\w,*]+)")
_WRONG = "authentication required, visit https://aka.ms/acr/authorization for more information."
_ALL = "*"


@dataclass
class Registry:
    """A registry as its door knows it. login: HOST:PORT. allows: whether a principal may `pull` or `push` by now.

    admin: the admin user's name and passwords, as long as it is enabled. repositories: digests that were pushed, with
    the tag that each came with, by the repository's name.
    """

    name: str
    login: str
    allows: Callable[[str, str], bool]
    admin: Callable[[], tuple[str, tuple[str, ...]]]
    repositories: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def missing(self, repository: str) -> str:
        """A repository comes into being by the first push."""
        return ""

    def keeps(self, repository: str, tag: str) -> str:
        return ""

    def pushed(self, manifest: Manifest) -> None:
        digests = self.repositories.setdefault(manifest.repository, {})
        for tags in digests.values():
            tags.discard(manifest.tag)
        digests.setdefault(manifest.digest, set()).update({manifest.tag} - {""})


class Admission:
    """Who may come in at a registry's door: with an access token of it, or with a password."""

    def __init__(self, registry: Registry, tokens: Tokens) -> None:
        self._registry = registry
        self._tokens = tokens

    def refusal(self, request: Request, repository: str, *, writing: bool) -> Response | None:
        if request.method == "DELETE":
            return refused(405, "UNSUPPORTED", "The operation is unsupported: no image is removed in a rehearsal.")
        wanted = "pull,push" if writing else "pull"
        granted = self._granted(request, repository)
        if granted is None:
            return self._challenge(repository, wanted)
        if not repository or ("push" if writing else "pull") in granted:
            return None
        return self._challenge(repository, wanted, ',error="insufficient_scope"')

    def _granted(self, request: Request, repository: str) -> frozenset[str] | None:
        """What a caller may do with a repository; None: nobody knows it."""
        authorization = request.headers.get("Authorization", "")
        if not authorization.lower().startswith("bearer "):
            user, password = basic(authorization)
            who = self.who(user, password)
            return frozenset(self.rights(who)) if who else None
        claims = self._tokens.read(authorization.partition(" ")[2], self._registry.login)
        if claims is None or claims.get("kind") != "access":
            return None
        actions = [each["actions"] for each in claims["access"] if each["name"] == repository]
        return frozenset(action for each in actions for action in each)

    def who(self, user: str, password: str) -> str:
        """The principal whose password this is, `admin` for the admin user; empty: nobody's."""
        name, passwords = self._registry.admin()
        if user and user == name:
            good = any(hmac.compare_digest(password.encode(), each.encode()) for each in passwords)
            return "admin" if good else ""
        claims = self._tokens.read(password, self._registry.login) if user == TOKEN_USER else None
        return str(claims["sub"]) if claims and claims.get("kind") == "refresh" else ""

    def rights(self, principal: str) -> Iterator[str]:
        """What a principal may do with each repository of this registry by now."""
        for action in ("pull", "push"):
            if principal == "admin" or self._registry.allows(principal, action):
                yield action

    def _challenge(self, repository: str, actions: str, error: str = "") -> Response:
        login = self._registry.login
        scope = f',scope="repository:{repository}:{actions}"' if repository else ""
        return challenge(f'Bearer realm="http://{login}/oauth2/token",service="{login}"{scope}{error}')


class Desk:
    """A WSGI application: where tokens are exchanged, `/oauth2/exchange` and `/oauth2/token`."""

    def __init__(self, registry: Registry, admission: Admission, tokens: Tokens) -> None:
        self._registry = registry
        self._admission = admission
        self._tokens = tokens
        self._given: dict[str, tuple[str, float]] = {}

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        answer = self._exchange if request.path == "/oauth2/exchange" else self._token
        return answer(request)(environ, start)

    def _exchange(self, request: Request) -> Response:
        """An Entra token becomes a refresh token."""
        form = request.form
        if form.get("grant_type") != "access_token":
            return refused(400, "UNSUPPORTED", f"unsupported grant type '{form.get('grant_type', '')}'")
        if form.get("service") != self._registry.login:
            return refused(400, "BAD_REQUEST", f"service '{form.get('service', '')}' is not this registry")
        token = form.get("access_token", "")
        claims = self._tokens.read(token, *REGISTRIES, *MANAGEMENT)
        if claims is None or form.get("tenant", TENANT) != TENANT:
            return refused(401, "UNAUTHORIZED", _WRONG)
        return _said({"refresh_token": self._refresh_token(claims["oid"])})

    def _refresh_token(self, principal: str) -> str:
        """The same as before, as long as it is good: the engine pushes anew what it pushed with another password."""
        token, until = self._given.get(principal, ("", 0.0))
        if time.monotonic() > until:
            token, until = refresh_token(self._tokens, self._registry.login, principal), time.monotonic() + SECONDS / 2
            self._given[principal] = token, until
        return token

    def _token(self, request: Request) -> Response:
        """A refresh token, or a password, becomes an access token. Standard: Docker registry token specification."""
        values = request.values
        user, password = basic(request.headers.get("Authorization", ""))
        if request.method == "POST":
            user = values.get("username", TOKEN_USER)
            password = values.get("password") or values.get("refresh_token") or ""
        who = self._admission.who(user, password)
        if not who:
            return refused(401, "UNAUTHORIZED", _WRONG)
        scopes = [part for each in values.getlist("scope") for part in each.split()]
        access = list(self._access(who, scopes))
        token = self._tokens.issue(self._registry.login, kind="access", sub=who, access=access)
        return _said({"access_token": token, "token": token, "expires_in": SECONDS})

    def _access(self, who: str, scopes: Iterable[str]) -> Iterator[Mapping[str, object]]:
        rights = set(self._admission.rights(who))
        for each in scopes:
            if parts := _SCOPE.fullmatch(each):
                wanted = set(parts["actions"].split(","))
                granted = rights if _ALL in wanted else rights & wanted
                yield {"type": "repository", "name": parts["name"], "actions": sorted(granted)}


def refresh_token(tokens: Tokens, login: str, principal: str) -> str:
    """The one that a principal shows at this registry."""
    return tokens.issue(login, kind="refresh", sub=principal, grant_type="refresh_token", tenant=TENANT)


def _said(body: Mapping[str, object]) -> Response:
    return Response(json.dumps(body), content_type="application/json; charset=utf-8")
