"""The door before the registry: asks for a cloud's passwords, and refuses what a cloud's registry refuses.

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

from mldeploy.rehearsal.door.interface import Transfer
from mldeploy.rehearsal.door.proxy import sent_on

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>manifests|blobs|tags)/(?P<rest>.+)")
_OURS = frozenset(("authorization",))
"""What a request that is handed on has of its own."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """An image's manifest as it was pushed. tag: empty if it was pushed by digest."""

    repository: str
    tag: str
    digest: str
    media_type: str
    text: str


class Repositories(Protocol):
    """What a cloud knows of its repositories. repository: all of the name between the host and the tag."""

    def missing(self, repository: str) -> str:
        """Why there is no repository of this name, in the cloud's own words; empty if there is one."""

    def keeps(self, repository: str, tag: str) -> str:
        """The digest that an immutable tag stands for; empty if the tag is free to be set."""

    def pushed(self, manifest: Manifest) -> None:
        """A push has succeeded."""


class Admission(Protocol):
    """Who may come in."""

    def refusal(self, request: Request, repository: str, *, writing: bool) -> Response | None:
        """The answer to whoever may not do this; None for those who may. repository: empty for the base path."""


class Passwords:
    """One user, and two passwords that are good as long as the rehearsal lasts: one may push, one may only pull.

    refused: in the cloud's own words, what a wrong password and what a push with the lesser one are answered.
    """

    def __init__(self, user: str, wrong: str, forbidden: str) -> None:
        self.user = user
        # One password as long as the rehearsal lasts: the engine pushes anew what it pushed with another one.
        self.pusher, self.puller = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._wrong = wrong
        self._forbidden = forbidden

    def refusal(self, request: Request, repository: str, *, writing: bool) -> Response | None:
        if "Authorization" not in request.headers:
            return challenge('Basic realm="rehearsal"')
        user, password = basic(request.headers["Authorization"])
        if user != self.user or password not in (self.pusher, self.puller):
            return refused(403, "DENIED", self._wrong)
        if writing and password != self.pusher:
            return refused(403, "DENIED", f"{self._forbidden} {repository}")
        return None


class RegistryDoor:
    """A WSGI application before the registry at `upstream`."""

    def __init__(self, upstream: str, repositories: Repositories, admission: Admission) -> None:
        self._upstream = upstream
        self._repositories = repositories
        self._admission = admission
        self._mutex = threading.Lock()
        self._transfers: list[Transfer] = []

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        """What has come through, oldest first."""
        with self._mutex:
            return tuple(self._transfers)

    def forget(self) -> None:
        """Nothing has come through."""
        with self._mutex:
            self._transfers.clear()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        response = self._refusal(request) or self._forward(request)
        with self._mutex:
            self._transfers.append(Transfer(request.method, request.path, response.status_code))
        return response(environ, start)

    def _refusal(self, request: Request) -> Response | None:
        parts = _PATH.fullmatch(request.path)
        repository = parts["repository"] if parts else ""
        writing = bool(parts) and request.method not in ("GET", "HEAD")
        if not parts:
            return self._admission.refusal(request, repository, writing=writing)
        # A caller whom nobody knows is not told which repositories there are.
        if refusal := self._admission.refusal(request, repository, writing=False):
            return refusal
        if what := self._repositories.missing(repository):
            return refused(404, "NAME_UNKNOWN", what)
        return self._admission.refusal(request, repository, writing=writing) if writing else None

    def _forward(self, request: Request) -> Response:
        parts = _PATH.fullmatch(request.path)
        if request.method == "PUT" and parts and parts["kind"] == "manifests":
            return self._put_manifest(request, parts["repository"], parts["rest"])
        body = _chunks(request) if request.method == "PATCH" else request.get_data()
        return sent_on(request, self._upstream, body, _OURS)

    def _put_manifest(self, request: Request, repository: str, reference: str) -> Response:
        text = request.get_data()
        tag = "" if ":" in reference else reference
        kept = self._repositories.keeps(repository, tag) if tag else ""
        if kept and kept != _digest(text):
            what = (
                f"The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten "
                "because the tag is immutable."
            )
            return refused(400, "TAG_INVALID", what)
        answer = sent_on(request, self._upstream, text, _OURS)
        if answer.status_code == 201:
            digest = answer.headers["Docker-Content-Digest"]
            kind = request.content_type or ""
            self._repositories.pushed(Manifest(repository, tag, digest, kind, text.decode()))
        return answer


def _chunks(request: Request) -> Iterator[bytes]:
    while chunk := request.stream.read(_CHUNK):
        yield chunk


def basic(authorization: str) -> tuple[str, str]:
    """User and password of a header; both empty if there are none. Standard: RFC 7617."""
    kind, _, content = authorization.partition(" ")
    try:
        user, _, password = base64.b64decode(content).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (user, password) if kind.lower() == "basic" else ("", "")


def challenge(scheme: str) -> Response:
    """Who asks without credentials is told how to bring them. Standard: RFC 9110, "WWW-Authenticate"."""
    response = refused(401, "UNAUTHORIZED", "authentication required")
    response.headers["WWW-Authenticate"] = scheme
    return response


def refused(status: int, code: str, what: str) -> Response:
    """An error answer. Standard: OCI distribution spec 1.1, "Error codes"."""
    body = json.dumps({"errors": [{"code": code, "message": what}]})
    return Response(body, status, content_type="application/json")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
