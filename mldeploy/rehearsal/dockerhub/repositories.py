"""The repositories that there are, and the images in them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mldeploy.rehearsal.dockerhub.accounts import STRANGER
from mldeploy.rehearsal.door.interface import Thing
from mldeploy.rehearsal.registry.door import Manifest
from mldeploy.rehearsal.registry.program import RegistryProgram

PRIVATE_LIMIT = 1
"""Private repositories of a namespace: what Docker Personal includes."""


@dataclass
class Tag:
    """pushed: ISO 8601, UTC."""

    digest: str
    pushed: str


@dataclass
class Repository:
    """gone_at: when its removal ends, by the monotonic clock; None if nobody removes it."""

    namespace: str
    name: str
    description: str
    is_private: bool
    made: str
    tags: dict[str, Tag] = field(default_factory=dict)
    gone_at: float | None = None

    @property
    def path(self) -> str:
        return f"{self.namespace}/{self.name}"


class Repositories:
    """May be used from several threads, by whoever holds `lock`. pace: how many seconds a removal takes; it may be set.

    For the registry's door it is its `Repositories`: a push makes a repository, which everybody sees.
    """

    def __init__(self, program: RegistryProgram, pace: float) -> None:
        self.lock = threading.RLock()
        self.limit = PRIVATE_LIMIT
        self._program = program
        self._usual_pace = self.pace = pace
        self._all: dict[str, Repository] = {}

    def reset(self) -> None:
        """Nothing is there."""
        with self.lock:
            self._all.clear()
            self.limit, self.pace = PRIVATE_LIMIT, self._usual_pace
            self._program.forget()

    def at(self, path: str) -> Repository | None:
        with self.lock:
            self._settle()
            return self._all.get(path)

    def of(self, namespace: str, seen: Callable[[Repository], bool]) -> list[Repository]:
        """Those that are to be seen, by their names."""
        with self.lock:
            self._settle()
            return sorted(
                (each for each in self._all.values() if each.namespace == namespace and seen(each)),
                key=lambda each: each.name,
            )

    def has_room(self, namespace: str) -> bool:
        """For another private one."""
        return len(self.of(namespace, lambda each: each.is_private)) < self.limit

    def add(self, namespace: str, name: str, description: str, *, private: bool) -> Repository:
        with self.lock:
            made = Repository(namespace, name, description, private, now())
            self._all[made.path] = made
            return made

    def remove(self, repository: Repository) -> None:
        """Begin to remove it. Its images cannot be pulled any more."""
        with self.lock:
            self._program.forget(repository.path)
            repository.tags.clear()
            repository.gone_at = repository.gone_at or time.monotonic() + self.pace

    def remove_tag(self, repository: Repository, tag: str) -> None:
        with self.lock:
            digest = repository.tags.pop(tag).digest
            if all(each.digest != digest for each in repository.tags.values()):
                self._program.delete(repository.path, digest)

    def contents(self) -> Iterator[Thing]:
        """What somebody has made and not yet removed, but for what there is from the start."""
        with self.lock:
            self._settle()
            found = [each for each in self._all.values() if each.namespace != STRANGER]
        for each in found:
            yield Thing("dockerhub:repository", each.path, {"description": each.description})
            for tag in list(each.tags):
                yield Thing("dockerhub:tag", f"{each.path}:{tag}")

    def missing(self, repository: str) -> str:
        return "" if repository.count("/") == 1 else "invalid repository name"

    def keeps(self, repository: str, tag: str) -> str:
        return ""

    def pushed(self, manifest: Manifest) -> None:
        namespace, _, name = manifest.repository.partition("/")
        with self.lock:
            self._settle()
            found = self._all.get(manifest.repository) or self.add(namespace, name, "", private=False)
            if manifest.tag:
                found.tags[manifest.tag] = Tag(manifest.digest, now())

    def _settle(self) -> None:
        moment = time.monotonic()
        for path, each in list(self._all.items()):
            if each.gone_at is not None and each.gone_at <= moment:
                del self._all[path]


def now() -> str:
    """As Docker Hub writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
