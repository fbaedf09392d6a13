"""What a request to an API server asks for, and how the server turns a caller away.

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

from mldeploy.rehearsal.door.faults import Kind
from mldeploy.rehearsal.kubernetes.api.access import MASTER, Attempt, User
from mldeploy.rehearsal.kubernetes.objects.refusals import Refused
from mldeploy.rehearsal.kubernetes.objects.types import NAMESPACES, Key, Resource, found

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from mldeploy.rehearsal.door.frontdoor import Application

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)(?P<inside>/namespaces/(?P<namespace>[^/]+))?"
    r"(?:/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+)(?:/(?P<part>[a-z]+))?)?)?/?"
)
_READING = ("get", "list", "watch")
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True)
class Asked:
    """A request. resource: None for what is no object, such as `/version`. part: the subresource."""

    method: str
    path: str
    token: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    resource: Resource | None = None
    namespace: str = ""
    name: str = ""
    part: str = ""

    @property
    def verb(self) -> str:
        """RBAC's. https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb"""
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
    def key(self) -> Key | None:
        """The object that it is about; None if it is about none, or several."""
        return Key(self.resource, self.namespace, self.name) if self.resource and self.name else None

    @property
    def attempt(self) -> Attempt:
        """What it takes a permission for."""
        if self.resource is None:
            return Attempt(self.verb, path=self.path)
        resource = self.resource
        return Attempt(self.verb, resource.group, resource.plural, self.part, self.namespace, self.name)

    def said(self, name: str, default: str = "") -> str:
        """A parameter of the query."""
        return self.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        return self.said(name).lower() in ("true", "1")


def understood(method: str, path: str, query: str, authorization: str) -> Asked:
    """Raises nothing."""
    token = authorization.removeprefix("Bearer ") if authorization.startswith("Bearer ") else ""
    parameters = parse_qs(query, keep_blank_values=True)
    parts = _PATH.fullmatch(path)
    if parts is None or path.startswith("/apis/") is not bool(parts["group"]):
        return Asked(method, path, token, parameters)
    group, version, namespace = parts["group"] or "", parts["version"], parts["namespace"] or ""
    plural, name, part = parts["plural"] or "", parts["name"] or "", parts["part"] or ""
    if namespace and (not plural or plural in NAMESPACES.parts):  # the namespace itself, or a part of it
        namespace, plural, name, part = "", "namespaces", namespace, plural
    return Asked(method, path, token, parameters, found(group, version, plural), namespace, name, part)


class KubernetesLanguage:
    """knows: whether a token is somebody's."""

    def __init__(self, knows: Callable[[str], bool]) -> None:
        self._knows = knows

    def understood(self, environ: WSGIEnvironment, body: bytes) -> Asked:
        names = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "HTTP_AUTHORIZATION")
        method, path, query, authorization = (str(environ.get(name, "")) for name in names)
        return understood(method, path, query, authorization)

    def turned_away(self, asked: Asked) -> Application | None:
        return None if self._knows(asked.token) else answered(Refused(401, "Unauthorized", "Unauthorized"))

    def refusal(self, kind: Kind, asked: Asked) -> Application:
        if kind is Kind.THROTTLE:
            refused = Refused(
                429, "TooManyRequests", "the server has received too many requests", {"retryAfterSeconds": 1}
            )
            return answered(refused, {"Retry-After": "1"})
        if kind is Kind.DENIED:
            return answered(denied(asked, MASTER))
        return answered(Refused(500, "InternalError", "Internal error occurred: rehearsed", {}))


def denied(asked: Asked, user: User, verb: str = "") -> Refused:
    """No role allows it. https://kubernetes.io/docs/reference/access-authn-authz/rbac/"""
    who = f'User "{user.name}" cannot {verb or asked.verb}'
    if asked.resource is None:
        return Refused(403, "Forbidden", f'forbidden: {who} path "{asked.path}"', {})
    resource, about = asked.resource, f"{asked.resource.plural}{'/' if asked.part else ''}{asked.part}"
    place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    what = f"{resource.name}{f' {chr(34)}{asked.name}{chr(34)}' if asked.name else ''} is forbidden"
    details = {"name": asked.name, "group": resource.group, "kind": resource.plural}
    return Refused(
        403,
        "Forbidden",
        f'{what}: {who} resource "{about}" in API group "{resource.group}" {place}',
        {name: value for name, value in details.items() if value},
    )


def answered(refused: Refused, headers: Mapping[str, str] | None = None) -> Response:
    """A Status."""
    return Response(json.dumps(refused.document), refused.status, headers=headers, content_type="application/json")
