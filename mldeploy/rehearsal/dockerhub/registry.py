"""Docker Hub's registry: the server that gives out tokens for it, who may come in with them, and how pulls are counted.

Standard: distribution, "Token authentication"; https://docs.docker.com/docker-hub/usage/pulls/
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.dockerhub.accounts import NOBODY, PULL, PUSH, Accounts, Identity
from mldeploy.rehearsal.dockerhub.answers import said
from mldeploy.rehearsal.dockerhub.repositories import Repositories
from mldeploy.rehearsal.registry.door import RegistryDoor, basic, challenge, refused
from mldeploy.rehearsal.tokens import Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SERVICE = "registry.docker.io"
TOKEN_SECONDS = 300
TOKEN_PATH = "/token"  # noqa: S105 - a path
MEASURE = "ratelimitpreview/test"
"""A repository by which anybody may ask how many pulls are left."""
WINDOW_SECONDS = 21600
PULLS = 200
"""In a window, of a user without a subscription."""
_SCOPE = re.compile(r"repository:(?P<name>[^:]+):(?P<actions>[\w,*]+)")
_PULLED = re.compile(r"/v2/(?P<name>.+)/manifests/[^/]+")


class Desk:
    """A WSGI application: an access token becomes a short-lived one for the registry, with as much as is allowed.

    What the token itself never allows is refused: https://github.com/docker/cli/pull/4511
    """

    def __init__(self, accounts: Accounts, repositories: Repositories, tokens: Tokens) -> None:
        self._accounts = accounts
        self._repositories = repositories
        self._tokens = tokens

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start)

    def _answer(self, request: Request) -> Response:
        values = request.values
        if values.get("service") != SERVICE:
            return said(400, {"details": f"unknown service: {values.get('service', '')}"})
        who = self._caller(request)
        if who is None:
            return said(401, {"details": "incorrect username or password"})
        scopes = [part for each in values.getlist("scope") for part in each.split()]
        wanted = [action for each in scopes for action in each.rpartition(":")[2].split(",")]
        if not who.covers(wanted):
            return said(401, {"details": "access token has insufficient scopes"})
        access = list(self._access(who, scopes))
        token = self._tokens.issue(SERVICE, sub=who.name, access=access)
        return said(200, {"token": token, "access_token": token, "expires_in": TOKEN_SECONDS})

    def _caller(self, request: Request) -> Identity | None:
        if request.method == "POST":
            return self._accounts.proved(request.form.get("username", ""), request.form.get("password", ""))
        if "Authorization" not in request.headers:
            return NOBODY
        return self._accounts.proved(*basic(request.headers["Authorization"]))

    def _access(self, who: Identity, scopes: Iterable[str]) -> Iterator[Mapping[str, object]]:
        for each in scopes:
            if parts := _SCOPE.fullmatch(each):
                found = self._repositories.at(parts["name"])
                public = parts["name"] == MEASURE or (found is not None and not found.is_private)
                rights = set(who.rights(parts["name"].partition("/")[0], public=public))
                wanted = set(parts["actions"].split(","))
                granted = rights if "*" in wanted else rights & wanted
                yield {"type": "repository", "name": parts["name"], "actions": sorted(granted)}


class Bearers:
    """`mldeploy.rehearsal.registry.door.Admission`: who has a token for that. address: HOST:PORT of the registry."""

    def __init__(self, tokens: Tokens, address: str) -> None:
        self._tokens = tokens
        self._realm = f'Bearer realm="http://{address}{TOKEN_PATH}",service="{SERVICE}"'

    def refusal(self, request: Request, repository: str, *, writing: bool) -> Response | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        claims = self._tokens.read(token, SERVICE) if kind.lower() == "bearer" else None
        wanted = f"{PULL},{PUSH}" if writing else PULL
        if claims is None:
            return self._challenge(repository, wanted)
        granted = {action for each in claims["access"] if each["name"] == repository for action in each["actions"]}
        if not repository or (PUSH if writing else PULL) in granted:
            return None
        return self._challenge(repository, wanted, ',error="insufficient_scope"')

    def _challenge(self, repository: str, actions: str, error: str = "") -> Response:
        scope = f',scope="repository:{repository}:{actions}"' if repository else ""
        return challenge(f"{self._realm}{scope}{error}")


class Counter:
    """A WSGI application before the registry's door, which counts manifests that are fetched and says what is left.

    desk: where tokens are given out for those who follow the challenge. left: may be set.
    """

    def __init__(self, door: RegistryDoor, bearers: Bearers, desk: Desk) -> None:
        self._door = door
        self._bearers = bearers
        self._desk = desk
        self._mutex = threading.Lock()
        self.left = PULLS

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if request.path == TOKEN_PATH:
            return self._desk(environ, start)
        pulled = _PULLED.fullmatch(request.path)
        if not pulled or request.method not in ("GET", "HEAD"):
            return self._door(environ, start)
        if pulled["name"] == MEASURE:
            answer = self._bearers.refusal(request, MEASURE, writing=False) or Response()
        else:
            answer = Response.from_app(self._door, environ)
        return self._counted(request, answer)(environ, start)

    def _counted(self, request: Request, answer: Response) -> Response:
        if answer.status_code != 200:
            return answer
        with self._mutex:
            if request.method == "GET":
                if not self.left:
                    answer.close()
                    return refused(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.")
                self.left -= 1
            answer.headers["RateLimit-Limit"] = f"{PULLS};w={WINDOW_SECONDS}"
            answer.headers["RateLimit-Remaining"] = f"{self.left};w={WINDOW_SECONDS}"
        return answer
