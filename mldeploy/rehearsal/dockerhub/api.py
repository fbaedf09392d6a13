"""Docker Hub's API, as far as repositories go: https://docs.docker.com/reference/api/hub/latest/#tag/repositories.

What it has no page for is as Docker's own tools call it: https://github.com/docker/terraform-provider-docker
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.dockerhub.accounts import DELETE, NOBODY, PULL, SCOPES, STRANGER, Accounts, Identity
from mldeploy.rehearsal.dockerhub.answers import SCOPE, Refusal, refused, said
from mldeploy.rehearsal.dockerhub.repositories import Repositories, Repository
from mldeploy.rehearsal.dockerhub.wire import Asked, understood
from mldeploy.rehearsal.tokens import Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

AUDIENCE = "https://hub.docker.com"
BEARER_SECONDS = 600
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_FIELDS: Mapping[str, type] = {
    "name": str,
    "namespace": str,
    "registry": str,
    "description": str,
    "full_description": str,
    "is_private": bool,
}
_USED_UP = "No more private repositories available"


class Api:
    """A WSGI application. bearers: those that it has given out."""

    def __init__(self, accounts: Accounts, bearers: Tokens, repositories: Repositories) -> None:
        self._accounts = accounts
        self._bearers = bearers
        self._repositories = repositories
        self._operations: Mapping[str, Callable[[Request, Asked], Response]] = {
            "AuthCreateAccessToken": self._token,
            "listNamespaceRepositories": self._list,
            "CreateRepository": self._create,
            "GetRepository": self._get,
            "SetRepositoryPrivacy": self._privacy,
            "DeleteRepository": self._delete,
            "ListRepositoryTags": self._tags,
            "DeleteTag": self._delete_tag,
        }

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        asked = understood(request.method, request.path)
        operation = self._operations.get(asked.action)
        try:
            answer = operation(request, asked) if operation else refused(404, "page not found")
        except Refusal as refusal:
            answer = refusal.response
        return answer(environ, start)

    def caller(self, authorization: str) -> Identity | None:
        """Whose bearer it is; None if it is not good. Without any it is nobody in particular."""
        if not authorization:
            return NOBODY
        claims = self._bearers.read(authorization.removeprefix("Bearer "), AUDIENCE)
        return Identity(claims["sub"], frozenset(claims["namespaces"]), claims["scope"]) if claims else None

    def _token(self, request: Request, _asked: Asked) -> Response:
        content = _content(request, {"identifier": str, "secret": str})
        who = self._accounts.proved(str(content.get("identifier", "")), str(content.get("secret", "")))
        if who is None:
            return said(401, {"detail": "Incorrect authentication credentials"})
        claims = {"sub": who.name, "namespaces": sorted(who.namespaces), "scope": who.scope}
        return said(200, {"access_token": self._bearers.issue(AUDIENCE, **claims)})

    def _list(self, request: Request, asked: Asked) -> Response:
        who = self._who(request)
        found = self._repositories.of(asked.namespace, lambda each: PULL in _rights(who, each))
        return _page(request, [_told(each) for each in found])

    def _create(self, request: Request, asked: Asked) -> Response:
        content = _content(request, _FIELDS)
        name, private = str(content.get("name", "")), bool(content.get("is_private", False))
        description = str(content.get("description", ""))
        _require_valid(name, description, str(content.get("namespace", asked.namespace)), asked.namespace)
        self._require(self._who(request), asked.namespace, DELETE)
        with self._repositories.lock:
            if self._repositories.at(f"{asked.namespace}/{name}"):
                raise Refusal(400, "Repository with this Name and Namespace already exists.")
            if private and not self._repositories.has_room(asked.namespace):
                raise Refusal(402, _USED_UP)
            return said(201, _told(self._repositories.add(asked.namespace, name, description, private=private)))

    def _get(self, request: Request, asked: Asked) -> Response:
        return said(200, _told(self._found(request, asked)))

    def _privacy(self, request: Request, asked: Asked) -> Response:
        private = bool(_content(request, {"is_private": bool}).get("is_private"))
        found = self._found(request, asked, DELETE)
        with self._repositories.lock:
            if private and not found.is_private and not self._repositories.has_room(asked.namespace):
                raise Refusal(402, _USED_UP)
            found.is_private = private
        return said(200, {})

    def _delete(self, request: Request, asked: Asked) -> Response:
        self._repositories.remove(self._found(request, asked, DELETE))
        return said(202, {})

    def _tags(self, request: Request, asked: Asked) -> Response:
        found = self._found(request, asked)
        last = sorted(found.tags.items(), key=lambda each: each[1].pushed, reverse=True)
        told = [
            {"name": name, "digest": tag.digest, "last_updated": tag.pushed, "tag_last_pushed": tag.pushed}
            for name, tag in last
        ]
        return _page(request, told)

    def _delete_tag(self, request: Request, asked: Asked) -> Response:
        found = self._found(request, asked, DELETE)
        with self._repositories.lock:
            if asked.tag not in found.tags:
                raise Refusal(404, "tag not found")
            self._repositories.remove_tag(found, asked.tag)
        return Response(status=204)

    def _who(self, request: Request) -> Identity:
        """The front door has turned away those with a bearer that is not good."""
        return self.caller(request.headers.get("Authorization", "")) or NOBODY

    def _found(self, request: Request, asked: Asked, right: str = PULL) -> Repository:
        """One that the caller may see, and may do that with. Who may not see it is not told that it is there."""
        who, found = self._who(request), self._repositories.at(f"{asked.namespace}/{asked.name}")
        if found is None or PULL not in _rights(who, found):
            raise Refusal(404, "not found")
        if right != PULL:
            self._require(who, asked.namespace, right)
        return found

    def _require(self, who: Identity, namespace: str, right: str) -> None:
        if right in who.rights(namespace, public=False):
            return
        is_member = namespace in who.namespaces and who.scope != SCOPES[-1]
        raise Refusal(403, SCOPE if is_member else "permission denied")


def furnish(repositories: Repositories) -> None:
    """What there is of others from the start: a public repository that is nobody's business."""
    repositories.add(STRANGER, "public", "Somebody else's", private=False)


def _rights(who: Identity, repository: Repository) -> Sequence[str]:
    return tuple(who.rights(repository.namespace, public=not repository.is_private))


def _content(request: Request, fields: Mapping[str, type]) -> Mapping[str, object]:
    """A JSON object that has no other fields, and those of the right type."""
    try:
        content = json.loads(request.get_data())
    except ValueError as error:
        raise Refusal(400, "invalid JSON") from error
    if not isinstance(content, dict):
        raise Refusal(400, "invalid JSON")
    for name, value in content.items():
        if name not in fields or not isinstance(value, fields[name]):
            raise Refusal(400, f"invalid field {name}")
    return content


def _require_valid(name: str, description: str, namespace: str, place: str) -> None:
    if not _NAME.fullmatch(name) or not 2 <= len(name) <= 255:
        raise Refusal(400, "invalid repository name")
    if len(description) > 100:
        raise Refusal(400, "description is longer than 100 characters")
    if namespace != place:
        raise Refusal(400, "namespace is another one than the path's")


def _page(request: Request, found: Sequence[Mapping[str, object]]) -> Response:
    try:
        number, size = int(request.args.get("page", 1)), int(request.args.get("page_size", 10))
    except ValueError as error:
        raise Refusal(400, "invalid page") from error
    if number < 1 or not 1 <= size <= 100:
        raise Refusal(400, "invalid page")
    results = found[(number - 1) * size : number * size]
    if number > 1 and not results:
        raise Refusal(404, "object not found")
    more = f"{request.base_url}?page={number + 1}&page_size={size}" if number * size < len(found) else None
    return said(200, {"count": len(found), "next": more, "previous": None, "results": list(results)})


def _told(repository: Repository) -> Mapping[str, object]:
    """https://docs.docker.com/reference/api/hub/latest/schemas/repository_info/"""
    return {
        "name": repository.name,
        "namespace": repository.namespace,
        "repository_type": "image",
        "status": 1,
        "status_description": "Active",
        "description": repository.description,
        "is_private": repository.is_private,
        "date_registered": repository.made,
        "last_updated": max((tag.pushed for tag in repository.tags.values()), default=repository.made),
    }
