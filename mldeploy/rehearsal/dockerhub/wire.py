"""What a request to the front door asks for, by the names that the API's pages have, and how Docker Hub says no."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mldeploy.rehearsal.dockerhub.answers import refused, said, throttled
from mldeploy.rehearsal.door.faults import Kind

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from mldeploy.rehearsal.door.frontdoor import Application

TOKEN = "RegistryToken"  # noqa: S105 - a call's name
"""What the call of the registry's server for tokens is called here."""
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
_GIVING = ("AuthCreateAccessToken", TOKEN)


@dataclass(frozen=True)
class Asked:
    """action: of _ROUTES, or method and path. authorization: the header, as it was sent."""

    action: str
    is_writing: bool
    namespace: str = ""
    name: str = ""
    tag: str = ""
    authorization: str = ""


def understood(method: str, path: str) -> Asked:
    """What a request asks for."""
    for action, wanted, route in _ROUTES:
        if method == wanted and (found := route.fullmatch(path)):
            return Asked(action, method != "GET" and action not in _GIVING, **found.groupdict())
    return Asked(f"{method} {path}", method not in ("GET", "HEAD"))


class HubLanguage:
    """`mldeploy.rehearsal.door.frontdoor.Language`. is_known: whether a bearer is good; none at all is.

    wait: the seconds that whoever asks too often is told to wait.
    """

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self._is_known = is_known
        self.wait = 0.0

    def understood(self, environ: WSGIEnvironment, body: bytes) -> Asked:
        asked = understood(str(environ["REQUEST_METHOD"]), str(environ.get("PATH_INFO", "")))
        return replace(asked, authorization=str(environ.get("HTTP_AUTHORIZATION", "")))

    def turned_away(self, asked: Asked) -> Application | None:
        """Those who give out tokens look at what they are shown by themselves."""
        if asked.action in _GIVING or self._is_known(asked.authorization):
            return None
        return refused(401, "unauthorized")

    def refusal(self, kind: Kind, asked: Asked) -> Application:
        if kind is Kind.THROTTLE:
            return throttled(self.wait)
        if kind is Kind.DENIED:
            return (
                said(403, {"details": "access denied"}) if asked.action == TOKEN else refused(403, "permission denied")
            )
        return refused(500, "internal server error")
