"""Repositories as Docker Hub describes them, and the calls that make, change and remove them and their images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mldeploy.image.labels import owner_labels
from mldeploy.providers.dockerhub.account import HubAccount
from mldeploy.providers.dockerhub.client import Document, HubRequest, HubResponse
from mldeploy.providers.dockerhub.errors import AGAIN, HubDeniedError, HubError
from mldeploy.providers.dockerhub.settings import TARGET

PAGE = 100
"""Maximum page size."""
_OURS = re.compile(r"[0-9a-f]{16}")
"""A tag that a push of ours sets."""


@dataclass(frozen=True)
class HubRepositoryInfo:
    """A repository. name: inside its namespace. description: the short one."""

    name: str
    description: str
    is_private: bool


def repository_label(path: str) -> str:
    return f"repository {path}"


def describe_repository(account: HubAccount, name: str) -> HubRepositoryInfo | None:
    """None if there is none. Raises HubDeniedError, CredentialsError, HubError.

    A repository that may not be seen is answered with 404, too: it counts as absent only where we might push.
    """
    path = f"{account.namespace}/{name}"
    response = account.client.send(
        HubRequest("GetRepository", "GET", _repository_path(account, name), repository_label(path)), (404,)
    )
    if response.status != 404:
        return _parse_repository(response.document, repository_label(path))
    require_push(account, path, "is not there, or must not be seen")
    return None


def require_push(account: HubAccount, path: str, fact: str = "") -> None:
    """Raise DeniedError if the registry would not let us push there: before the image is on its way."""
    actions = account.client.list_granted_actions(path)
    if "push" in actions:
        return
    granted = ", ".join(sorted(actions)) or "nothing"
    reason = f"the registry allows {granted} there" + (f", and {path} {fact}" if fact else "")
    todo = (
        "It needs an access token with Write, of a user who may push in that namespace. A private repository beyond "
        "those of the subscription is locked, too."
    )
    raise HubDeniedError(repository_label(path), account.client.user, "RegistryToken with push", reason, todo)


def list_repositories(account: HubAccount) -> Iterator[HubRepositoryInfo]:
    """Every repository of the namespace that we may see. Raises HubDeniedError, CredentialsError, HubError."""
    path, subject = f"{_namespace_path(account)}/repositories", f"repositories of {account.namespace}"
    for each in _list_pages(account, "listNamespaceRepositories", path, subject):
        yield _parse_repository(each, subject)


def create_repository(account: HubAccount, name: str, app: str, *, private: bool) -> HubRepositoryInfo | None:
    """Make one, marked as the app's in the same call. None: there is one by now, made by whomever.

    Raises HubDeniedError, CredentialsError, HubError, also if the subscription has no room for a private one.
    """
    subject = repository_label(f"{account.namespace}/{name}")
    body = {
        "name": name,
        "namespace": account.namespace,
        "registry": "docker.io",
        "description": build_description(app),
        "is_private": private,
    }
    path = f"{_namespace_path(account)}/repositories"
    response = account.client.send(
        HubRequest("CreateRepository", "POST", path, subject, body=body), (400, 402, 403, 409)
    )
    if response.status < 300:
        return _parse_repository(response.document, subject)
    if response.status == 402 or "private repo" in response.reason.lower():
        raise _no_private_room(subject, response)
    if response.status == 403:
        todo = (
            "It needs a token with Read, Write, Delete, of a user who may make repositories in that namespace. Into "
            "one that is there, made by hand, a token with Write pushes as well."
        )
        raise HubDeniedError(subject, account.client.user, "CreateRepository", response.reason, todo)
    if describe_repository(account, name) is None:
        raise HubError(subject, f"CreateRepository: {response.reason or 'no reason was given'} ({response.status})")
    return None


def set_privacy(account: HubAccount, name: str, *, private: bool) -> None:
    """Raises HubDeniedError, CredentialsError, HubError, also if the subscription has no room for a private one."""
    subject = repository_label(f"{account.namespace}/{name}")
    path = f"/v2/repositories/{account.namespace}/{name}/privacy"
    request = HubRequest("SetRepositoryPrivacy", "POST", path, subject, body={"is_private": private})
    response = account.client.send(request, (400, 402))
    if response.status in (400, 402):
        raise (
            _no_private_room(subject, response)
            if private
            else HubError(subject, f"SetRepositoryPrivacy: {response.reason}")
        )


def delete_repository(account: HubAccount, name: str) -> None:
    """Begin to remove one with all that is in it; that it is gone is no error. Raises HubDeniedError, HubError."""
    path = f"/v2/repositories/{account.namespace}/{name}/"
    account.client.send(
        HubRequest("DeleteRepository", "DELETE", path, repository_label(f"{account.namespace}/{name}")), (404,)
    )


def list_tags(account: HubAccount, name: str) -> tuple[str, ...]:
    """The tags that mldeploy has set, the last pushed first. Raises HubDeniedError, HubError."""
    subject = repository_label(f"{account.namespace}/{name}")
    listed = list(_list_pages(account, "ListRepositoryTags", f"{_repository_path(account, name)}/tags", subject))
    owned = [each for each in listed if _OURS.fullmatch(_read_text(each, "name"))]
    owned.sort(key=lambda each: _read_text(each, "tag_last_pushed") or _read_text(each, "last_updated"), reverse=True)
    return tuple(_read_text(each, "name") for each in owned)


def delete_tag(account: HubAccount, name: str, tag: str) -> None:
    """That it is gone is no error. Raises HubDeniedError, HubError."""
    path = f"{account.namespace}/{name}"
    request_path = f"/v2/repositories/{path}/tags/{tag}/"
    account.client.send(HubRequest("DeleteTag", "DELETE", request_path, f"{repository_label(path)}:{tag}"), (404,))


def _namespace_path(account: HubAccount) -> str:
    return f"/v2/namespaces/{account.namespace}"


def _repository_path(account: HubAccount, name: str) -> str:
    return f"{_namespace_path(account)}/repositories/{name}"


def _list_pages(account: HubAccount, operation: str, path: str, subject: str) -> Iterator[Document]:
    """What is listed, page after page, until one says that it is the last."""
    number, more = 1, True
    while more:
        query = {"page": str(number), "page_size": str(PAGE)}
        response = account.client.send(HubRequest(operation, "GET", path, subject, query))
        results = response.document.get("results")
        if not isinstance(results, list):
            raise HubError(subject, f"{operation}: the answer is none of Docker Hub's", AGAIN)
        yield from (each for each in results if isinstance(each, Mapping))
        number, more = number + 1, bool(response.document.get("next"))


def _parse_repository(document: Document, subject: str) -> HubRepositoryInfo:
    name, is_private = document.get("name"), document.get("is_private")
    if not isinstance(name, str) or not isinstance(is_private, bool):
        raise HubError(subject, "the answer is none of Docker Hub's", AGAIN)
    return HubRepositoryInfo(name, _read_text(document, "description"), is_private)


def _read_text(document: Document, name: str) -> str:
    return str(document.get(name) or "")


def _no_private_room(subject: str, response: HubResponse) -> HubError:
    todo = (
        "Make another one public or remove it, take a larger subscription, or let everybody have this image: "
        "private = false in [target.dockerhub]."
    )
    reason = response.reason or f"it answers {response.status}"
    return HubError(subject, f"the subscription has no room for another private repository: {reason}", todo)


LONGEST = 100
"""Characters of a description: https://docs.docker.com/reference/api/hub/latest/schemas/repo_creation_request/"""
_LABEL = re.compile(r"(mldeploy\.(?:app|target))=([^\s,;]+)")


def build_description(app: str) -> str:
    """What a repository is created with. Its longest, with an app's name of 40 characters, has room to spare."""
    return f"By mldeploy: {' '.join(f'{name}={value}' for name, value in owner_labels(app, TARGET).items())}"


def missing_labels(text: str, app: str) -> tuple[str, ...]:
    """What a description lacks to be this app's, a readable line each: nothing if it is. More may stand beside it."""
    labels = dict(_LABEL.findall(text))
    return tuple(
        f"{name} {labels.get(name) or 'absent'} → {value}"
        for name, value in owner_labels(app, TARGET).items()
        if labels.get(name) != value
    )


def is_marked(text: str) -> bool:
    """Whether mldeploy made it for any app."""
    return bool(_LABEL.search(text))
