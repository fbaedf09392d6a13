"""The door before the registry: asks for ECR's passwords, and refuses what ECR refuses.

Standard: OCI distribution spec 1.1; for the words, ECR's own answers.
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

from mldeploy.rehearsal.aws.interface import Transfer
from mldeploy.rehearsal.aws.proxy import sent_on

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

USER = "AWS"
"""The user's name in every login to ECR."""

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
    """What ECR knows of its repositories."""

    def has(self, repository: str) -> bool:
        """There is one of this name."""

    def keeps(self, repository: str, tag: str) -> str:
        """The digest that an immutable tag stands for; empty if the tag is free to be set."""

    def pushed(self, manifest: Manifest) -> None:
        """A push has succeeded."""


class RegistryDoor:
    """A WSGI application before the registry at `upstream`. pusher, puller: the passwords that are good here."""

    def __init__(self, upstream: str, repositories: Repositories) -> None:
        self._upstream = upstream
        self._repositories = repositories
        # One password as long as the rehearsal lasts: the engine pushes anew what it pushed with another one.
        self.pusher, self.puller = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
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
        if "Authorization" not in request.headers:
            refused = _refused(401, "UNAUTHORIZED", "authentication required")
            refused.headers["WWW-Authenticate"] = 'Basic realm="rehearsal"'
            return refused
        password = _password(request.headers["Authorization"])
        if password not in (self.pusher, self.puller):
            return _refused(403, "DENIED", "Your authorization token is invalid. Reauthenticate and try again.")
        parts = _PATH.fullmatch(request.path)
        if parts is None:
            return None
        repository = parts["repository"]
        if not self._repositories.has(repository):
            what = f"The repository with name '{repository}' does not exist in the registry with id '123456789012'"
            return _refused(404, "NAME_UNKNOWN", what)
        if request.method not in ("GET", "HEAD") and password != self.pusher:
            return _refused(403, "DENIED", f"not authorized to perform: ecr:PutImage on repository {repository}")
        return None

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
            return _refused(400, "TAG_INVALID", what)
        answer = sent_on(request, self._upstream, text, _OURS)
        if answer.status_code == 201:
            digest = answer.headers["Docker-Content-Digest"]
            kind = request.content_type or ""
            self._repositories.pushed(Manifest(repository, tag, digest, kind, text.decode()))
        return answer


def _chunks(request: Request) -> Iterator[bytes]:
    while chunk := request.stream.read(_CHUNK):
        yield chunk


def _password(authorization: str) -> str:
    kind, _, content = authorization.partition(" ")
    try:
        user, _, password = base64.b64decode(content).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password if kind.lower() == "basic" and user == USER else ""


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _refused(status: int, code: str, what: str) -> Response:
    body = json.dumps({"errors": [{"code": code, "message": what}]})
    return Response(body, status, content_type="application/json")
