"""Docker Hub's API, as far as repositories go: https://docs.docker.com/reference/api/hub/latest/#tag/repositories.

For undocumented calls the source is Docker's provider: https://github.com/docker/terraform-provider-docker
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.dockerhub.adapter import (
    SCOPE,
    HubRequestInfo,
    HubStatusError,
    error_response,
    json_response,
    parse_request,
)
from mldeploy.rehearsal.dockerhub.repositories import (
    ANONYMOUS,
    DELETE,
    PULL,
    SCOPES,
    STRANGER,
    Accounts,
    HubCaller,
    HubRepositoryStore,
    StoredHubRepository,
)
from mldeploy.rehearsal.tokens import TokenSigner

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
_NO_PRIVATE_LEFT = "No more private repositories available"


class HubApi:
    """A WSGI application. bearers: issues and validates the API's bearer tokens."""

    def __init__(self, accounts: Accounts, bearers: TokenSigner, repositories: HubRepositoryStore) -> None:
        self._accounts = accounts
        self._bearers = bearers
        self._repositories = repositories
        self._operations: Mapping[str, Callable[[Request, HubRequestInfo], Response]] = {
            "AuthCreateAccessToken": self._create_token,
            "listNamespaceRepositories": self._list,
            "CreateRepository": self._create,
            "GetRepository": self._get,
            "SetRepositoryPrivacy": self._set_privacy,
            "DeleteRepository": self._delete,
            "ListRepositoryTags": self._list_tags,
            "DeleteTag": self._delete_tag,
        }

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        info = parse_request(request.method, request.path)
        operation = self._operations.get(info.action)
        try:
            answer = operation(request, info) if operation else error_response(404, "page not found")
        except HubStatusError as refusal:
            answer = refusal.response
        return answer(environ, start)

    def caller(self, authorization: str) -> HubCaller | None:
        """Return the caller of an Authorization header, anonymous if it is empty; None if it is invalid."""
        if not authorization:
            return ANONYMOUS
        claims = self._bearers.read(authorization.removeprefix("Bearer "), AUDIENCE)
        return HubCaller(claims["sub"], frozenset(claims["namespaces"]), claims["scope"]) if claims else None

    def _create_token(self, request: Request, _info: HubRequestInfo) -> Response:
        content = _parse_content(request, {"identifier": str, "secret": str})
        caller = self._accounts.authenticate(str(content.get("identifier", "")), str(content.get("secret", "")))
        if caller is None:
            return json_response(401, {"detail": "Incorrect authentication credentials"})
        claims = {"sub": caller.name, "namespaces": sorted(caller.namespaces), "scope": caller.scope}
        return json_response(200, {"access_token": self._bearers.issue(AUDIENCE, **claims)})

    def _list(self, request: Request, info: HubRequestInfo) -> Response:
        caller = self._get_caller(request)
        repositories = self._repositories.list_repositories(
            info.namespace, lambda each: PULL in _list_rights(caller, each)
        )
        return _paginate(request, [_describe(each) for each in repositories])

    def _create(self, request: Request, info: HubRequestInfo) -> Response:
        content = _parse_content(request, _FIELDS)
        name, private = str(content.get("name", "")), bool(content.get("is_private", False))
        description = str(content.get("description", ""))
        _require_valid(name, description, str(content.get("namespace", info.namespace)), info.namespace)
        self._require(self._get_caller(request), info.namespace, DELETE)
        with self._repositories.lock:
            if self._repositories.find(f"{info.namespace}/{name}"):
                raise HubStatusError(400, "Repository with this Name and Namespace already exists.")
            if private and not self._repositories.has_private_quota(info.namespace):
                raise HubStatusError(402, _NO_PRIVATE_LEFT)
            return json_response(
                201, _describe(self._repositories.add(info.namespace, name, description, private=private))
            )

    def _get(self, request: Request, info: HubRequestInfo) -> Response:
        return json_response(200, _describe(self._require_repository(request, info)))

    def _set_privacy(self, request: Request, info: HubRequestInfo) -> Response:
        private = bool(_parse_content(request, {"is_private": bool}).get("is_private"))
        repository = self._require_repository(request, info, DELETE)
        with self._repositories.lock:
            if private and not repository.is_private and not self._repositories.has_private_quota(info.namespace):
                raise HubStatusError(402, _NO_PRIVATE_LEFT)
            repository.is_private = private
        return json_response(200, {})

    def _delete(self, request: Request, info: HubRequestInfo) -> Response:
        self._repositories.remove(self._require_repository(request, info, DELETE))
        return json_response(202, {})

    def _list_tags(self, request: Request, info: HubRequestInfo) -> Response:
        repository = self._require_repository(request, info)
        last = sorted(repository.tags.items(), key=lambda each: each[1].pushed, reverse=True)
        tags = [
            {"name": name, "digest": tag.digest, "last_updated": tag.pushed, "tag_last_pushed": tag.pushed}
            for name, tag in last
        ]
        return _paginate(request, tags)

    def _delete_tag(self, request: Request, info: HubRequestInfo) -> Response:
        repository = self._require_repository(request, info, DELETE)
        with self._repositories.lock:
            if info.tag not in repository.tags:
                raise HubStatusError(404, "tag not found")
            self._repositories.remove_tag(repository, info.tag)
        return Response(status=204)

    def _get_caller(self, request: Request) -> HubCaller:
        """Return the caller. `HubAdapter.authenticate` has rejected invalid tokens."""
        return self.caller(request.headers.get("Authorization", "")) or ANONYMOUS

    def _require_repository(self, request: Request, info: HubRequestInfo, right: str = PULL) -> StoredHubRepository:
        """Return a repository. Raises HubStatusError: 404 if the caller may not pull it, 403 without the right."""
        caller, repository = self._get_caller(request), self._repositories.find(f"{info.namespace}/{info.name}")
        if repository is None or PULL not in _list_rights(caller, repository):
            raise HubStatusError(404, "not found")
        if right != PULL:
            self._require(caller, info.namespace, right)
        return repository

    def _require(self, caller: HubCaller, namespace: str, right: str) -> None:
        if right in caller.list_rights(namespace, public=False):
            return
        is_member = namespace in caller.namespaces and caller.scope != SCOPES[-1]
        raise HubStatusError(403, SCOPE if is_member else "permission denied")


def add_foreign_repository(repositories: HubRepositoryStore) -> None:
    """Add a public repository of another user."""
    repositories.add(STRANGER, "public", "Somebody else's", private=False)


def _list_rights(caller: HubCaller, repository: StoredHubRepository) -> Sequence[str]:
    return tuple(caller.list_rights(repository.namespace, public=not repository.is_private))


def _parse_content(request: Request, fields: Mapping[str, type]) -> Mapping[str, object]:
    """Parse a JSON object with these fields and types. Raises HubStatusError."""
    try:
        content = json.loads(request.get_data())
    except ValueError as error:
        raise HubStatusError(400, "invalid JSON") from error
    if not isinstance(content, dict):
        raise HubStatusError(400, "invalid JSON")
    for name, value in content.items():
        if name not in fields or not isinstance(value, fields[name]):
            raise HubStatusError(400, f"invalid field {name}")
    return content


def _require_valid(name: str, description: str, namespace: str, path_namespace: str) -> None:
    if not _NAME.fullmatch(name) or not 2 <= len(name) <= 255:
        raise HubStatusError(400, "invalid repository name")
    if len(description) > 100:
        raise HubStatusError(400, "description is longer than 100 characters")
    if namespace != path_namespace:
        raise HubStatusError(400, "namespace is another one than the path's")


def _paginate(request: Request, items: Sequence[Mapping[str, object]]) -> Response:
    try:
        number, size = int(request.args.get("page", 1)), int(request.args.get("page_size", 10))
    except ValueError as error:
        raise HubStatusError(400, "invalid page") from error
    if number < 1 or not 1 <= size <= 100:
        raise HubStatusError(400, "invalid page")
    results = items[(number - 1) * size : number * size]
    if number > 1 and not results:
        raise HubStatusError(404, "object not found")
    more = f"{request.base_url}?page={number + 1}&page_size={size}" if number * size < len(items) else None
    return json_response(200, {"count": len(items), "next": more, "previous": None, "results": list(results)})


def _describe(repository: StoredHubRepository) -> Mapping[str, object]:
    """Return the representation: https://docs.docker.com/reference/api/hub/latest/schemas/repository_info/."""
    return {
        "name": repository.name,
        "namespace": repository.namespace,
        "repository_type": "image",
        "status": 1,
        "status_description": "Active",
        "description": repository.description,
        "is_private": repository.is_private,
        "date_registered": repository.created_at,
        "last_updated": max((tag.pushed for tag in repository.tags.values()), default=repository.created_at),
    }
