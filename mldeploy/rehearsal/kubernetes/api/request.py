"""Requests to the API server: parsing, attributes and error responses.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from werkzeug.wrappers import Response

from mldeploy.rehearsal.gateway.faults import FaultKind
from mldeploy.rehearsal.kubernetes.api.authorization import ADMIN, AccessAttributes, User
from mldeploy.rehearsal.kubernetes.objects.errors import StatusError
from mldeploy.rehearsal.kubernetes.objects.types import NAMESPACES, ApiResource, ObjectKey, find_resource

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application
import time
from collections.abc import Iterator

from mldeploy.rehearsal.kubernetes.objects.errors import expired
from mldeploy.rehearsal.kubernetes.objects.names import ObjectFilter
from mldeploy.rehearsal.kubernetes.objects.store import Store, StoreChange
from mldeploy.rehearsal.kubernetes.objects.types import Object

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)(?P<inside>/namespaces/(?P<namespace>[^/]+))?"
    r"(?:/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+)(?:/(?P<part>[a-z]+))?)?)?/?"
)
_READING = ("get", "list", "watch")
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True)
class KubernetesRequest:
    """A parsed request. resource: None for other paths, such as `/version`. part: the subresource."""

    method: str
    path: str
    token: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    resource: ApiResource | None = None
    namespace: str = ""
    name: str = ""
    part: str = ""
    impersonated: str = ""
    """The user on whose behalf the request is made, "" for its own."""

    @property
    def verb(self) -> str:
        """The RBAC verb. https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb"""
        if self.method in ("GET", "HEAD"):
            if self.flag("watch"):
                return "watch"
            return "get" if self.name or self.resource is None else "list"
        if self.method == "DELETE":
            return "delete" if self.name else "deletecollection"
        return _VERBS.get(self.method, self.method.lower())

    @property
    def action(self) -> str:
        """`patch deployments.apps`, `get pods/log`, `get /version`."""
        if self.resource is None:
            return f"{self.verb} {self.path}"
        return f"{self.verb} {self.resource.name}{'/' if self.part else ''}{self.part}"

    @property
    def is_writing(self) -> bool:
        return self.verb not in _READING

    @property
    def key(self) -> ObjectKey | None:
        """The requested object; None for collections and other paths."""
        return ObjectKey(self.resource, self.namespace, self.name) if self.resource and self.name else None

    @property
    def attributes(self) -> AccessAttributes:
        """The attributes that RBAC checks."""
        if self.resource is None:
            return AccessAttributes(self.verb, path=self.path)
        resource = self.resource
        return AccessAttributes(self.verb, resource.group, resource.plural, self.part, self.scope, self.name)

    @property
    def scope(self) -> str:
        """The namespace in which the request is authorized. A namespace is in itself, so that its Roles apply."""
        return self.name if self.resource is NAMESPACES else self.namespace

    def parameter(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        return self.parameter(name).lower() in ("true", "1")


def parse_request(method: str, path: str, query: str, authorization: str) -> KubernetesRequest:
    """Parse a request. Unknown paths have no resource."""
    token = authorization.removeprefix("Bearer ") if authorization.startswith("Bearer ") else ""
    parameters = parse_qs(query, keep_blank_values=True)
    parts = _PATH.fullmatch(path)
    if parts is None or path.startswith("/apis/") is not bool(parts["group"]):
        return KubernetesRequest(method, path, token, parameters)
    group, version, namespace = parts["group"] or "", parts["version"], parts["namespace"] or ""
    plural, name, part = parts["plural"] or "", parts["name"] or "", parts["part"] or ""
    if namespace and (not plural or plural in NAMESPACES.parts):  # the namespace itself, or a part of it
        namespace, plural, name, part = "", "namespaces", namespace, plural
    return KubernetesRequest(
        method, path, token, parameters, find_resource(group, version, plural), namespace, name, part
    )


class KubernetesAdapter:
    """The protocol adapter for Kubernetes. is_known: whether a token is valid."""

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self._is_known = is_known

    def parse_request(self, environ: WSGIEnvironment, body: bytes) -> KubernetesRequest:
        names = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "HTTP_AUTHORIZATION")
        method, path, query, authorization = (str(environ.get(name, "")) for name in names)
        return parse_request(method, path, query, authorization)

    def authenticate(self, request: KubernetesRequest) -> Application | None:
        if not request.token or self._is_known(request.token):
            return None
        return status_response(StatusError(401, "Unauthorized", "Unauthorized"))

    def refusal(self, kind: FaultKind, request: KubernetesRequest) -> Application:
        if kind is FaultKind.THROTTLE:
            error = StatusError(
                429, "TooManyRequests", "the server has received too many requests", {"retryAfterSeconds": 1}
            )
            return status_response(error, {"Retry-After": "1"})
        if kind is FaultKind.DENIED:
            return status_response(access_denied(request, ADMIN))
        return status_response(StatusError(500, "InternalError", "Internal error occurred: rehearsed", {}))


def access_denied(request: KubernetesRequest, user: User, verb: str = "") -> StatusError:
    """The error for a request that no role allows. https://kubernetes.io/docs/reference/access-authn-authz/rbac/"""
    who = f'User "{user.name}" cannot {verb or request.verb}'
    if request.resource is None:
        return StatusError(403, "Forbidden", f'forbidden: {who} path "{request.path}"', {})
    resource, about = request.resource, f"{request.resource.plural}{'/' if request.part else ''}{request.part}"
    scope = f'in the namespace "{request.scope}"' if request.scope else "at the cluster scope"
    what = f"{resource.name}{f' {chr(34)}{request.name}{chr(34)}' if request.name else ''} is forbidden"
    details = {"name": request.name, "group": resource.group, "kind": resource.plural}
    return StatusError(
        403,
        "Forbidden",
        f'{what}: {who} resource "{about}" in API group "{resource.group}" {scope}',
        {name: value for name, value in details.items() if value},
    )


def status_response(error: StatusError, headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP response with the Status document."""
    return Response(json.dumps(error.document), error.status, headers=headers, content_type="application/json")


_LOOK = 0.5
"""Seconds between checks for a disconnected client."""
_BOOKMARK = 5.0
_LONGEST = 1800.0


@dataclass(frozen=True)
class WatchRequest:
    """A watch. matches: selects objects. version: start after it; 0: start with all current objects.

    serialize: converts an object for the response. client_left: whether the client has disconnected.
    """

    resource: ApiResource
    namespace: str
    matches: ObjectFilter
    version: int
    seconds: float
    bookmarks: bool
    serialize: Callable[[Object], Object]
    client_left: Callable[[], bool]


def stream_events(store: Store, watch: WatchRequest) -> Iterator[bytes]:
    """Yield the watch events as JSON lines until the timeout, or until the version is too old."""
    yield b""  # send the headers at once
    end, era = time.monotonic() + min(watch.seconds or _LONGEST, _LONGEST), store.era
    version = watch.version
    if version == 0:
        version = store.version
        for each in store.list(watch.resource, watch.namespace):
            if watch.matches(each):
                yield _line("ADDED", watch.serialize(each))
    marked = time.monotonic()
    while not watch.client_left():
        try:
            if store.era != era:
                raise expired(version, store.oldest)
            changes = store.since(version)
        except StatusError as refused:
            yield _line("ERROR", refused.document)
            return
        for change in changes:
            version = change.version
            yield from _change_lines(watch, change)
        if watch.bookmarks and time.monotonic() - marked > _BOOKMARK:
            marked = time.monotonic()
            yield _line("BOOKMARK", _bookmark(watch.resource, version))
        if time.monotonic() >= end:  # all changes up to its end have been sent
            return
        store.wait(version, min(_LOOK, max(0.0, end - time.monotonic())))


def _change_lines(watch: WatchRequest, change: StoreChange) -> Iterator[bytes]:
    key = change.key
    if key.resource is not watch.resource or watch.namespace not in ("", key.namespace):
        return
    matched, matches = (each is not None and watch.matches(each) for each in (change.before, change.after))
    if matches and change.after is not None:
        yield _line("MODIFIED" if matched else "ADDED", watch.serialize(change.after))
    elif matched and change.before is not None:
        metadata = {**change.before["metadata"], "resourceVersion": str(change.version)}
        yield _line("DELETED", watch.serialize({**change.before, "metadata": metadata}))


def _bookmark(resource: ApiResource, version: int) -> Object:
    metadata = {"resourceVersion": str(version), "creationTimestamp": None}
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}


def _line(kind: str, document: Object) -> bytes:
    return json.dumps({"type": kind, "object": document}).encode() + b"\n"
