"""Repositories as Docker Hub describes them, and the calls that make, change and remove them and their images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mldeploy.providers.dockerhub.account import Account
from mldeploy.providers.dockerhub.errors import AGAIN, DeniedError, HubError
from mldeploy.providers.dockerhub.hub import Document, Reply, Request
from mldeploy.providers.dockerhub.marker import description

PAGE = 100
"""The most that are told at once."""
_OURS = re.compile(r"[0-9a-f]{16}")
"""A tag that a push of ours sets."""


@dataclass(frozen=True)
class Described:
    """A repository. name: inside its namespace. description: the short one."""

    name: str
    description: str
    is_private: bool


def where(path: str) -> str:
    return f"repository {path}"


def describe(account: Account, name: str) -> Described | None:
    """None if there is none. Raises DeniedError, CredentialsError, HubError.

    A repository that may not be seen is answered with 404, too: it counts as absent only where we might push.
    """
    path = f"{account.namespace}/{name}"
    reply = account.hub.ask(Request("GetRepository", "GET", _at(account, name), where(path)), (404,))
    if reply.status != 404:
        return _described(reply.document, where(path))
    require_push(account, path, "is not there, or must not be seen")
    return None


def require_push(account: Account, path: str, fact: str = "") -> None:
    """Raise DeniedError if the registry would not let us push there: before the image is on its way."""
    granted = account.hub.granted(path)
    if "push" in granted:
        return
    allowed = ", ".join(sorted(granted)) or "nothing"
    said = f"the registry allows {allowed} there" + (f", and {path} {fact}" if fact else "")
    todo = (
        "It needs an access token with Write, of a user who may push in that namespace. A private repository beyond "
        "those of the subscription is locked, too."
    )
    raise DeniedError(where(path), account.hub.user, "RegistryToken with push", said, todo)


def listed(account: Account) -> Iterator[Described]:
    """Every repository of the namespace that we may see. Raises DeniedError, CredentialsError, HubError."""
    place, about = f"{_namespace(account)}/repositories", f"repositories of {account.namespace}"
    for each in _pages(account, "listNamespaceRepositories", place, about):
        yield _described(each, about)


def create(account: Account, name: str, app: str, *, private: bool) -> Described | None:
    """Make one, marked as the app's in the same call. None: there is one by now, made by whomever.

    Raises DeniedError, CredentialsError, HubError, also if the subscription has no room for a private one.
    """
    about = where(f"{account.namespace}/{name}")
    body = {
        "name": name,
        "namespace": account.namespace,
        "registry": "docker.io",
        "description": description(app),
        "is_private": private,
    }
    place = f"{_namespace(account)}/repositories"
    reply = account.hub.ask(Request("CreateRepository", "POST", place, about, body=body), (400, 402, 403, 409))
    if reply.status < 300:
        return _described(reply.document, about)
    if reply.status == 402 or "private repo" in reply.said.lower():
        raise _used_up(about, reply)
    if reply.status == 403:
        todo = (
            "It needs a token with Read, Write, Delete, of a user who may make repositories in that namespace. Into "
            "one that is there, made by hand, a token with Write pushes as well."
        )
        raise DeniedError(about, account.hub.user, "CreateRepository", reply.said, todo)
    if describe(account, name) is None:
        raise HubError(about, f"CreateRepository: {reply.said or 'no reason was given'} ({reply.status})")
    return None


def set_privacy(account: Account, name: str, *, private: bool) -> None:
    """Raises DeniedError, CredentialsError, HubError, also if the subscription has no room for a private one."""
    about = where(f"{account.namespace}/{name}")
    place = f"/v2/repositories/{account.namespace}/{name}/privacy"
    request = Request("SetRepositoryPrivacy", "POST", place, about, body={"is_private": private})
    reply = account.hub.ask(request, (400, 402))
    if reply.status in (400, 402):
        raise _used_up(about, reply) if private else HubError(about, f"SetRepositoryPrivacy: {reply.said}")


def delete(account: Account, name: str) -> None:
    """Begin to remove one with all that is in it; that it is gone is no error. Raises DeniedError, HubError."""
    place = f"/v2/repositories/{account.namespace}/{name}/"
    account.hub.ask(Request("DeleteRepository", "DELETE", place, where(f"{account.namespace}/{name}")), (404,))


def tags(account: Account, name: str) -> tuple[str, ...]:
    """The tags that pushes of ours have set, the last pushed first. Raises DeniedError, HubError."""
    about = where(f"{account.namespace}/{name}")
    found = list(_pages(account, "ListRepositoryTags", f"{_at(account, name)}/tags", about))
    ours = [each for each in found if _OURS.fullmatch(_text(each, "name"))]
    ours.sort(key=lambda each: _text(each, "tag_last_pushed") or _text(each, "last_updated"), reverse=True)
    return tuple(_text(each, "name") for each in ours)


def delete_tag(account: Account, name: str, tag: str) -> None:
    """That it is gone is no error. Raises DeniedError, HubError."""
    path = f"{account.namespace}/{name}"
    place = f"/v2/repositories/{path}/tags/{tag}/"
    account.hub.ask(Request("DeleteTag", "DELETE", place, f"{where(path)}:{tag}"), (404,))


def _namespace(account: Account) -> str:
    return f"/v2/namespaces/{account.namespace}"


def _at(account: Account, name: str) -> str:
    return f"{_namespace(account)}/repositories/{name}"


def _pages(account: Account, operation: str, path: str, about: str) -> Iterator[Document]:
    """What is listed, page after page, until one says that it is the last."""
    number, more = 1, True
    while more:
        query = {"page": str(number), "page_size": str(PAGE)}
        reply = account.hub.ask(Request(operation, "GET", path, about, query))
        results = reply.document.get("results")
        if not isinstance(results, list):
            raise HubError(about, f"{operation}: the answer is none of Docker Hub's", AGAIN)
        yield from (each for each in results if isinstance(each, Mapping))
        number, more = number + 1, bool(reply.document.get("next"))


def _described(found: Document, about: str) -> Described:
    name, is_private = found.get("name"), found.get("is_private")
    if not isinstance(name, str) or not isinstance(is_private, bool):
        raise HubError(about, "the answer is none of Docker Hub's", AGAIN)
    return Described(name, _text(found, "description"), is_private)


def _text(found: Document, name: str) -> str:
    return str(found.get(name) or "")


def _used_up(about: str, reply: Reply) -> HubError:
    todo = (
        "Make another one public or remove it, take a larger subscription, or let everybody have this image: "
        "private = false in [target.dockerhub]."
    )
    said = reply.said or f"it answers {reply.status}"
    return HubError(about, f"the subscription has no room for another private repository: {said}", todo)
