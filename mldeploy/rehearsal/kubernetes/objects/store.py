"""All objects of a cluster, and each change that was made to them.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mldeploy.rehearsal.kubernetes.objects.clock import now
from mldeploy.rehearsal.kubernetes.objects.refusals import expired
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, Resource

_REMEMBERED = 5000
"""So many changes are known; whoever wants to hear of earlier ones must list anew."""


@dataclass(frozen=True)
class Change:
    """before, after: None where the object was not there, or is there no more. after bears this version."""

    version: int
    key: Key
    before: Object | None
    after: Object | None


class Store:
    """May be used from several threads. `changed` is its lock, and is told of every change.

    What it hands out belongs to it: whoever wants to change an object copies it.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.version = 1
        self.oldest = 0
        self.era = 0
        """How often all has been forgotten: who watches begins anew."""
        self._objects: dict[Key, Object] = {}
        self._changes: list[Change] = []

    def get(self, key: Key) -> Object | None:
        with self.changed:
            return self._objects.get(key)

    def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        """All of a type, or those in a namespace, by namespace and name."""
        with self.changed:
            found = [(key, each) for key, each in self._objects.items() if key.resource is resource]
        found = [(key, each) for key, each in found if namespace in ("", key.namespace)]
        return [each for _, each in sorted(found, key=lambda pair: (pair[0].namespace, pair[0].name))]

    def every(self) -> Sequence[tuple[Key, Object]]:
        with self.changed:
            return list(self._objects.items())

    def put(self, key: Key, document: Object) -> Object:
        """Write it; what is as it was stays as it was. Gives back what is there now."""
        with self.changed:
            before = self._objects.get(key)
            if before is not None and _same(before, document):
                return before
            self.version += 1
            after = {**document, "metadata": {**document["metadata"], "resourceVersion": str(self.version)}}
            self._objects[key] = after
            self._tell(Change(self.version, key, before, after))
            return after

    def remove(self, key: Key) -> None:
        """It is gone at once; already gone is no error."""
        with self.changed:
            before = self._objects.pop(key, None)
            if before is not None:
                self.version += 1
                self._tell(Change(self.version, key, before, None))

    def edit(self, key: Key, change: Callable[[Object], None]) -> Object | None:
        """Change a copy of what is there, and write it; None if it is gone."""
        with self.changed:
            found = self._objects.get(key)
            if found is None:
                return None
            made = copy.deepcopy(found)
            change(made)
            return self.put(key, made)

    def since(self, version: int) -> Sequence[Change]:
        """What has changed after a version, oldest first. Raises Refused (410) where that is not known any more."""
        with self.changed:
            if version < self.oldest:
                raise expired(version, self.oldest)
            return [each for each in self._changes if each.version > version]

    def wait(self, version: int, seconds: float) -> None:
        """Return once there is a later version, or after so long."""
        with self.changed:
            self.changed.wait_for(lambda: self.version > version, seconds)

    def expire(self) -> None:
        """Forget what has changed: who watches from an earlier version is told that it is too old."""
        with self.changed:
            self.version += 1
            self._changes.clear()
            self.oldest = self.version
            self.era += 1
            self.changed.notify_all()

    def clear(self) -> None:
        """Nothing is there, and nothing has been."""
        with self.changed:
            self._objects.clear()
            self.expire()

    def _tell(self, change: Change) -> None:
        self._changes.append(change)
        if len(self._changes) > _REMEMBERED:
            self.oldest = self._changes[len(self._changes) - _REMEMBERED // 2].version
            del self._changes[: len(self._changes) - _REMEMBERED // 2]
        self.changed.notify_all()


def born(document: Object) -> Object:
    """A new object, with what only the server gives."""
    metadata = {**document["metadata"], "uid": str(uuid.uuid4()), "creationTimestamp": now()}
    return {**document, "metadata": metadata}


def _same(before: Object, document: Object) -> bool:
    old, new = dict(before["metadata"]), dict(document["metadata"])
    old.pop("resourceVersion", None)
    new.pop("resourceVersion", None)
    return old == new and {**before, "metadata": 0} == {**document, "metadata": 0}
