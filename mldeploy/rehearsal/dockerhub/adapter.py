"""The ProtocolAdapter of Docker Hub: parses requests by the API's operation names and forms the error responses."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from mldeploy.rehearsal.gateway.faults import FaultKind

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application

SCOPE = "access denied: insufficient scope"


class HubStatusError(Exception):
    """An error response of the API."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def response(self) -> Response:
        return error_response(self.status, str(self))


def json_response(status: int, body: Mapping[str, object]) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def error_response(status: int, message: str) -> Response:
    """Return an error response: https://docs.docker.com/reference/api/hub/latest/schemas/error/."""
    return json_response(status, {"errinfo": None, "message": message})


def throttle_response(seconds: float) -> Response:
    """seconds: the wait to request. https://docs.docker.com/reference/api/hub/latest/#tag/rate-limiting."""
    answer = json_response(429, {"detail": "Rate limit exceeded", "error": False})
    answer.headers["X-Retry-After"] = str(int(time.time() + seconds))
    return answer


TOKEN = "RegistryToken"  # noqa: S105 - a call's name
"""The action name of a call to the registry's token endpoint."""
_NS, _REPO = r"(?P<namespace>[^/]+)", r"(?P<name>[^/]+)"
_ROUTES = tuple(
    (action, method, re.compile(path))
    for action, method, path in (
        ("AuthCreateAccessToken", "POST", r"/v2/auth/token"),
        (TOKEN, "GET", r"/token"),
        (TOKEN, "POST", r"/token"),
        ("listNamespaceRepositories", "GET", rf"/v2/namespaces/{_NS}/repositories"),
        ("CreateRepository", "POST", rf"/v2/namespaces/{_NS}/repositories"),
        ("GetRepository", "GET", rf"/v2/namespaces/{_NS}/repositories/{_REPO}"),
        ("ListRepositoryTags", "GET", rf"/v2/namespaces/{_NS}/repositories/{_REPO}/tags"),
        ("SetRepositoryPrivacy", "POST", rf"/v2/repositories/{_NS}/{_REPO}/privacy/?"),
        ("DeleteRepository", "DELETE", rf"/v2/repositories/{_NS}/{_REPO}/"),
        ("DeleteTag", "DELETE", rf"/v2/repositories/{_NS}/{_REPO}/tags/(?P<tag>[^/]+)/"),
    )
)
_TOKEN_ACTIONS = ("AuthCreateAccessToken", TOKEN)


@dataclass(frozen=True)
class HubRequestInfo:
    """action: of _ROUTES, otherwise method and path. authorization: the header as sent."""

    action: str
    is_writing: bool
    namespace: str = ""
    name: str = ""
    tag: str = ""
    authorization: str = ""


def parse_request(method: str, path: str) -> HubRequestInfo:
    """Return the operation of a request."""
    for action, verb, route in _ROUTES:
        if method == verb and (match := route.fullmatch(path)):
            return HubRequestInfo(action, method != "GET" and action not in _TOKEN_ACTIONS, **match.groupdict())
    return HubRequestInfo(f"{method} {path}", method not in ("GET", "HEAD"))


class HubAdapter:
    """A `ProtocolAdapter`. is_known: whether an Authorization header is valid; an empty one is.

    wait: the seconds that a throttled response requests.
    """

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self._is_known = is_known
        self.wait = 0.0

    def parse_request(self, environ: WSGIEnvironment, body: bytes) -> HubRequestInfo:
        request = parse_request(str(environ["REQUEST_METHOD"]), str(environ.get("PATH_INFO", "")))
        return replace(request, authorization=str(environ.get("HTTP_AUTHORIZATION", "")))

    def authenticate(self, request: HubRequestInfo) -> Application | None:
        """Return an error response for an invalid bearer token. The token endpoints authenticate the caller."""
        if request.action in _TOKEN_ACTIONS or self._is_known(request.authorization):
            return None
        return error_response(401, "unauthorized")

    def refusal(self, kind: FaultKind, request: HubRequestInfo) -> Application:
        if kind is FaultKind.THROTTLE:
            return throttle_response(self.wait)
        if kind is FaultKind.DENIED:
            return (
                json_response(403, {"details": "access denied"})
                if request.action == TOKEN
                else error_response(403, "permission denied")
            )
        return error_response(500, "internal server error")
