"""Docker Hub's registry: token endpoint, authorization, and the pull rate limit.

Standard: distribution, "Token authentication"; https://docs.docker.com/docker-hub/usage/pulls/
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.dockerhub.adapter import json_response
from mldeploy.rehearsal.dockerhub.repositories import ANONYMOUS, PULL, PUSH, Accounts, HubCaller, HubRepositoryStore
from mldeploy.rehearsal.registry.gateway import RegistryGateway, challenge, parse_basic_auth, registry_error
from mldeploy.rehearsal.tokens import TokenSigner

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SERVICE = "registry.docker.io"
TOKEN_SECONDS = 300
TOKEN_PATH = "/token"  # noqa: S105 - a path
RATE_LIMIT_REPOSITORY = "ratelimitpreview/test"
"""The repository with which a client queries the remaining pulls."""
WINDOW_SECONDS = 21600
PULLS = 200
"""The pulls in a window for a user without a paid subscription."""
_SCOPE = re.compile(r"repository:(?P<name>[^:]+):(?P<actions>[\w,*]+)")
_PULLED = re.compile(r"/v2/(?P<name>.+)/manifests/[^/]+")


class HubTokenEndpoint:
    """A WSGI application that exchanges an access token for a short-lived registry token with the allowed actions.

    Actions beyond the token's scope are rejected: https://github.com/docker/cli/pull/4511
    """

    def __init__(self, accounts: Accounts, repositories: HubRepositoryStore, tokens: TokenSigner) -> None:
        self._accounts = accounts
        self._repositories = repositories
        self._tokens = tokens

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start)

    def _answer(self, request: Request) -> Response:
        values = request.values
        if values.get("service") != SERVICE:
            return json_response(400, {"details": f"unknown service: {values.get('service', '')}"})
        caller = self._caller(request)
        if caller is None:
            return json_response(401, {"details": "incorrect username or password"})
        scopes = [part for each in values.getlist("scope") for part in each.split()]
        actions = [action for each in scopes for action in each.rpartition(":")[2].split(",")]
        if not caller.has_scope_for(actions):
            return json_response(401, {"details": "access token has insufficient scopes"})
        access = list(self._access(caller, scopes))
        token = self._tokens.issue(SERVICE, sub=caller.name, access=access)
        return json_response(200, {"token": token, "access_token": token, "expires_in": TOKEN_SECONDS})

    def _caller(self, request: Request) -> HubCaller | None:
        if request.method == "POST":
            return self._accounts.authenticate(request.form.get("username", ""), request.form.get("password", ""))
        if "Authorization" not in request.headers:
            return ANONYMOUS
        return self._accounts.authenticate(*parse_basic_auth(request.headers["Authorization"]))

    def _access(self, caller: HubCaller, scopes: Iterable[str]) -> Iterator[Mapping[str, object]]:
        for each in scopes:
            if parts := _SCOPE.fullmatch(each):
                repository = self._repositories.find(parts["name"])
                public = parts["name"] == RATE_LIMIT_REPOSITORY or (
                    repository is not None and not repository.is_private
                )
                rights = set(caller.list_rights(parts["name"].partition("/")[0], public=public))
                requested = set(parts["actions"].split(","))
                granted = rights if "*" in requested else rights & requested
                yield {"type": "repository", "name": parts["name"], "actions": sorted(granted)}


class HubTokenAuthorizer:
    """A `RegistryAuthorizer` for the tokens of HubTokenEndpoint. address: HOST:PORT of the registry."""

    def __init__(self, tokens: TokenSigner, address: str) -> None:
        self._tokens = tokens
        self._realm = f'Bearer realm="http://{address}{TOKEN_PATH}",service="{SERVICE}"'

    def refusal(self, request: Request, repository: str, *, writing: bool) -> Response | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        claims = self._tokens.read(token, SERVICE) if kind.lower() == "bearer" else None
        actions = f"{PULL},{PUSH}" if writing else PULL
        if claims is None:
            return self._challenge(repository, actions)
        granted = {action for each in claims["access"] if each["name"] == repository for action in each["actions"]}
        if not repository or (PUSH if writing else PULL) in granted:
            return None
        return self._challenge(repository, actions, ',error="insufficient_scope"')

    def _challenge(self, repository: str, actions: str, error: str = "") -> Response:
        scope = f',scope="repository:{repository}:{actions}"' if repository else ""
        return challenge(f"{self._realm}{scope}{error}")


class PullRateLimiter:
    """A WSGI application in front of the registry that counts manifest requests and returns the remaining pulls.

    token_endpoint: the token endpoint of the challenge. left: the remaining pulls; may be set.
    """

    def __init__(self, gateway: RegistryGateway, bearers: HubTokenAuthorizer, token_endpoint: HubTokenEndpoint) -> None:
        self._gateway = gateway
        self._bearers = bearers
        self._token_endpoint = token_endpoint
        self._mutex = threading.Lock()
        self.left = PULLS

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if request.path == TOKEN_PATH:
            return self._token_endpoint(environ, start)
        pulled = _PULLED.fullmatch(request.path)
        if not pulled or request.method not in ("GET", "HEAD"):
            return self._gateway(environ, start)
        if pulled["name"] == RATE_LIMIT_REPOSITORY:
            answer = self._bearers.refusal(request, RATE_LIMIT_REPOSITORY, writing=False) or Response()
        else:
            answer = Response.from_app(self._gateway, environ)
        return self._count_pull(request, answer)(environ, start)

    def _count_pull(self, request: Request, answer: Response) -> Response:
        if answer.status_code != 200:
            return answer
        with self._mutex:
            if request.method == "GET":
                if not self.left:
                    answer.close()
                    return registry_error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.")
                self.left -= 1
            answer.headers["RateLimit-Limit"] = f"{PULLS};w={WINDOW_SECONDS}"
            answer.headers["RateLimit-Remaining"] = f"{self.left};w={WINDOW_SECONDS}"
        return answer
