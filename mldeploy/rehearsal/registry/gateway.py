"""A proxy in front of the registry: authentication, and the errors of a cloud's registry.

Standard: OCI distribution spec 1.1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import secrets
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.gateway.proxy import RegistryTransfer, Upstream, forward_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>manifests|blobs|tags)/(?P<rest>.+)")
_NOT_FORWARDED = frozenset(("authorization",))
"""Headers that are not forwarded."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """A pushed manifest. tag: empty if pushed by digest."""

    repository: str
    tag: str
    digest: str
    media_type: str
    text: str


class RepositoryDirectory(Protocol):
    """A cloud's repositories. repository: the name between host and tag."""

    def missing(self, repository: str) -> str:
        """Return the cloud's error message for a missing repository; empty if it exists."""

    def keeps(self, repository: str, tag: str) -> str:
        """Return the digest of an immutable tag; empty if the tag may be set."""

    def pushed(self, manifest: Manifest) -> None:
        """Record a successful push."""


class RegistryAuthorizer(Protocol):
    """Authenticates and authorizes registry requests."""

    def refusal(self, request: Request, repository: str, *, writing: bool) -> Response | None:
        """Return the error response, or None if the request is allowed. repository: empty for the base path."""


class RegistryPasswords:
    """One user with two passwords, valid during the rehearsal: one for push, one for pull only.

    wrong, forbidden: the cloud's messages for a wrong password and for a push with the pull password.
    """

    def __init__(self, user: str, wrong: str, forbidden: str) -> None:
        self.user = user
        # The password never changes: the engine pushes everything again after a change.
        self.pusher, self.puller = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._wrong = wrong
        self._forbidden = forbidden

    def refusal(self, request: Request, repository: str, *, writing: bool) -> Response | None:
        if "Authorization" not in request.headers:
            return challenge('Basic realm="rehearsal"')
        user, password = parse_basic_auth(request.headers["Authorization"])
        if user != self.user or password not in (self.pusher, self.puller):
            return registry_error(403, "DENIED", self._wrong)
        if writing and password != self.pusher:
            return registry_error(403, "DENIED", f"{self._forbidden} {repository}")
        return None


class RegistryGateway:
    """A WSGI application in front of the registry at `upstream`."""

    def __init__(self, upstream: Upstream, repositories: RepositoryDirectory, authorizer: RegistryAuthorizer) -> None:
        self._upstream = upstream
        self._repositories = repositories
        self._authorizer = authorizer
        self._mutex = threading.Lock()
        self._transfers: list[RegistryTransfer] = []

    @property
    def transfers(self) -> tuple[RegistryTransfer, ...]:
        """All requests, oldest first."""
        with self._mutex:
            return tuple(self._transfers)

    def forget(self) -> None:
        """Delete the log of requests."""
        with self._mutex:
            self._transfers.clear()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        response = self._refusal(request) or self._forward(request)
        with self._mutex:
            self._transfers.append(RegistryTransfer(request.method, request.path, response.status_code))
        return response(environ, start)

    def _refusal(self, request: Request) -> Response | None:
        parts = _PATH.fullmatch(request.path)
        repository = parts["repository"] if parts else ""
        writing = bool(parts) and request.method not in ("GET", "HEAD")
        if not parts:
            return self._authorizer.refusal(request, repository, writing=writing)
        # An unauthenticated caller must not learn which repositories exist.
        if refusal := self._authorizer.refusal(request, repository, writing=False):
            return refusal
        if what := self._repositories.missing(repository):
            return registry_error(404, "NAME_UNKNOWN", what)
        return self._authorizer.refusal(request, repository, writing=writing) if writing else None

    def _forward(self, request: Request) -> Response:
        parts = _PATH.fullmatch(request.path)
        if request.method == "PUT" and parts and parts["kind"] == "manifests":
            return self._put_manifest(request, parts["repository"], parts["rest"])
        body = _chunks(request) if request.method == "PATCH" else request.get_data()
        return forward_request(request, self._upstream, body, _NOT_FORWARDED)

    def _put_manifest(self, request: Request, repository: str, reference: str) -> Response:
        text = request.get_data()
        tag = "" if ":" in reference else reference
        digest = self._repositories.keeps(repository, tag) if tag else ""
        if digest and digest != _digest(text):
            what = (
                f"The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten "
                "because the tag is immutable."
            )
            return registry_error(400, "TAG_INVALID", what)
        answer = forward_request(request, self._upstream, text, _NOT_FORWARDED)
        if answer.status_code == 201:
            digest = answer.headers["Docker-Content-Digest"]
            kind = request.content_type or ""
            self._repositories.pushed(Manifest(repository, tag, digest, kind, text.decode()))
        return answer


def _chunks(request: Request) -> Iterator[bytes]:
    while chunk := request.stream.read(_CHUNK):
        yield chunk


def parse_basic_auth(authorization: str) -> tuple[str, str]:
    """Parse an Authorization header into user and password; both empty if absent. Standard: RFC 7617."""
    kind, _, content = authorization.partition(" ")
    try:
        user, _, password = base64.b64decode(content).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (user, password) if kind.lower() == "basic" else ("", "")


def challenge(scheme: str) -> Response:
    """Create a 401 response with a challenge. Standard: RFC 9110, "WWW-Authenticate"."""
    response = registry_error(401, "UNAUTHORIZED", "authentication required")
    response.headers["WWW-Authenticate"] = scheme
    return response


def registry_error(status: int, code: str, what: str) -> Response:
    """Create an error response. Standard: OCI distribution spec 1.1, "Error codes"."""
    body = json.dumps({"errors": [{"code": code, "message": what}]})
    return Response(body, status, content_type="application/json")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
