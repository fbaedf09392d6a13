"""The repositories and their tags."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mldeploy.rehearsal.gateway.proxy import StandInObject
from mldeploy.rehearsal.registry.gateway import Manifest
from mldeploy.rehearsal.registry.program import RegistryProgram

PRIVATE_LIMIT = 1
"""Private repositories of a namespace that Docker Personal includes."""


@dataclass
class Tag:
    """pushed: ISO 8601, UTC."""

    digest: str
    pushed: str


@dataclass
class StoredHubRepository:
    """deleted_at: when its deletion ends, by the monotonic clock; None: no deletion has begun."""

    namespace: str
    name: str
    description: str
    is_private: bool
    created_at: str
    tags: dict[str, Tag] = field(default_factory=dict)
    deleted_at: float | None = None

    @property
    def path(self) -> str:
        return f"{self.namespace}/{self.name}"


class HubRepositoryStore:
    """All repositories. May be used from several threads under `lock`. pace: seconds that a deletion takes; may be set.

    Implements `RepositoryDirectory`: a push creates a missing repository, which is public.
    """

    def __init__(self, program: RegistryProgram, pace: float) -> None:
        self.lock = threading.RLock()
        self.limit = PRIVATE_LIMIT
        self._program = program
        self._usual_pace = self.pace = pace
        self._all: dict[str, StoredHubRepository] = {}

    def reset(self) -> None:
        """Remove all repositories."""
        with self.lock:
            self._all.clear()
            self.limit, self.pace = PRIVATE_LIMIT, self._usual_pace
            self._program.forget()

    def find(self, path: str) -> StoredHubRepository | None:
        with self.lock:
            self._complete_deletions()
            return self._all.get(path)

    def list_repositories(
        self, namespace: str, is_visible: Callable[[StoredHubRepository], bool]
    ) -> list[StoredHubRepository]:
        """Return the visible repositories of a namespace, sorted by name."""
        with self.lock:
            self._complete_deletions()
            return sorted(
                (each for each in self._all.values() if each.namespace == namespace and is_visible(each)),
                key=lambda each: each.name,
            )

    def has_private_quota(self, namespace: str) -> bool:
        """Return whether the namespace may have another private repository."""
        return len(self.list_repositories(namespace, lambda each: each.is_private)) < self.limit

    def add(self, namespace: str, name: str, description: str, *, private: bool) -> StoredHubRepository:
        with self.lock:
            repository = StoredHubRepository(namespace, name, description, private, now())
            self._all[repository.path] = repository
            return repository

    def remove(self, repository: StoredHubRepository) -> None:
        """Begin the deletion of a repository. Its images can no longer be pulled."""
        with self.lock:
            self._program.forget(repository.path)
            repository.tags.clear()
            repository.deleted_at = repository.deleted_at or time.monotonic() + self.pace

    def remove_tag(self, repository: StoredHubRepository, tag: str) -> None:
        with self.lock:
            digest = repository.tags.pop(tag).digest
            if all(each.digest != digest for each in repository.tags.values()):
                self._program.delete(repository.path, digest)

    def list_objects(self) -> Iterator[StandInObject]:
        """Yield every repository and tag, except those of a new account."""
        with self.lock:
            self._complete_deletions()
            repositories = [each for each in self._all.values() if each.namespace != STRANGER]
        for each in repositories:
            yield StandInObject("dockerhub:repository", each.path, {"description": each.description})
            for tag in list(each.tags):
                yield StandInObject("dockerhub:tag", f"{each.path}:{tag}")

    def missing(self, repository: str) -> str:
        return "" if repository.count("/") == 1 else "invalid repository name"

    def keeps(self, repository: str, tag: str) -> str:
        return ""

    def pushed(self, manifest: Manifest) -> None:
        namespace, _, name = manifest.repository.partition("/")
        with self.lock:
            self._complete_deletions()
            repository = self._all.get(manifest.repository) or self.add(namespace, name, "", private=False)
            if manifest.tag:
                repository.tags[manifest.tag] = Tag(manifest.digest, now())

    def _complete_deletions(self) -> None:
        moment = time.monotonic()
        for path, each in list(self._all.items()):
            if each.deleted_at is not None and each.deleted_at <= moment:
                del self._all[path]


def now() -> str:
    """Return the current time in Docker Hub's format."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


USER, ORGANIZATION, STRANGER = "rehearsal", "rehearsal-team", "stranger"
"""Namespaces: the user's, the organization's, and one without push access."""
SCOPES = ("repo:public_read", "repo:read", "repo:write", "repo:admin")
"""Each includes the scopes before it. Docker Hub calls the last one "Read, Write, Delete"."""
PULL, PUSH, DELETE = "pull", "push", "delete"


@dataclass(frozen=True)
class HubCaller:
    """The caller of a request. name: empty without an access token. scope: of SCOPES."""

    name: str = ""
    namespaces: frozenset[str] = frozenset()
    scope: str = SCOPES[0]

    def list_rights(self, namespace: str, *, public: bool) -> Iterator[str]:
        """Yield the caller's rights on a repository. public: everyone may pull it."""
        rank = SCOPES.index(self.scope) if namespace in self.namespaces else 0
        if public or rank >= 1:
            yield PULL
        if rank >= 2:
            yield PUSH
        if rank >= 3:
            yield DELETE

    def has_scope_for(self, actions: Iterable[str]) -> bool:
        """Return whether the token's scope includes the actions. True without a token."""
        return not self.name or PUSH not in actions or SCOPES.index(self.scope) >= 2


ANONYMOUS = HubCaller()


class Accounts:
    """The access tokens and their owners. May be used from several threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._callers: dict[str, HubCaller] = {}
        self.token = self.issue_token(SCOPES[-1])

    def issue_token(self, scope: str, *, organization: bool = False) -> str:
        """Issue an access token of the user or of the organization, whose user name is the organization's name."""
        namespaces = frozenset((ORGANIZATION,) if organization else (USER, ORGANIZATION))
        token = f"dckr_{'oat' if organization else 'pat'}_{secrets.token_urlsafe(20)}"
        with self._mutex:
            self._callers[token] = HubCaller(ORGANIZATION if organization else USER, namespaces, scope)
        return token

    def reset(self) -> None:
        """Revoke all tokens except the first."""
        with self._mutex:
            self._callers = {self.token: self._callers[self.token]}

    def authenticate(self, name: str, secret: str) -> HubCaller | None:
        """Return the caller of a user name and token; None if they are wrong."""
        with self._mutex:
            known = list(self._callers.items())
        for token, caller in known:
            if hmac.compare_digest(token.encode(), secret.encode()) and caller.name == name:
                return caller
        return None
