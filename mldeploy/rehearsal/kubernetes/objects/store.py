"""Object store of a cluster, with its change history.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mldeploy.rehearsal.kubernetes.objects.errors import expired
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object, ObjectKey

_REMEMBERED = 5000
"""Changes that are retained; watches from earlier versions must list again."""


@dataclass(frozen=True)
class StoreChange:
    """A change. before: None if the object was created. after: None if it was removed."""

    version: int
    key: ObjectKey
    before: Object | None
    after: Object | None


class Store:
    """Thread-safe. `changed` is its lock and is notified of every change.

    Returned objects are shared: copy an object before you change it.
    """

    def __init__(self, late_seconds: float = 0.0) -> None:
        """late_seconds: how late `put_late` is."""
        self.late_seconds = late_seconds
        self.changed = threading.Condition(threading.RLock())
        self.version = 1
        self.oldest = 0
        self.era = 0
        """Number of resets of the history; watches end when it changes."""
        self._objects: dict[ObjectKey, Object] = {}
        self._changes: list[StoreChange] = []

    def get(self, key: ObjectKey) -> Object | None:
        with self.changed:
            return self._objects.get(key)

    def list(self, resource: ApiResource, namespace: str = "") -> list[Object]:
        """All of a type, or those in a namespace, by namespace and name."""
        with self.changed:
            objects = [(key, each) for key, each in self._objects.items() if key.resource is resource]
        objects = [(key, each) for key, each in objects if namespace in ("", key.namespace)]
        return [each for _, each in sorted(objects, key=lambda pair: (pair[0].namespace, pair[0].name))]

    def every(self) -> Sequence[tuple[ObjectKey, Object]]:
        with self.changed:
            return list(self._objects.items())

    def put(self, key: ObjectKey, document: Object) -> Object:
        """Write an object. Returns the stored object; an equal object keeps its version."""
        with self.changed:
            before = self._objects.get(key)
            if before is not None and _is_unchanged(before, document):
                return before
            self.version += 1
            after = {**document, "metadata": {**document["metadata"], "resourceVersion": str(self.version)}}
            self._objects[key] = after
            self._record(StoreChange(self.version, key, before, after))
            return after

    def put_late(self, key: ObjectKey, document: Object) -> None:
        """Write an object `late_seconds` from now, unless the store is cleared meanwhile."""
        if not self.late_seconds:
            self.put(key, document)
            return
        era = self.era

        def deliver() -> None:
            with self.changed:
                if self.era == era:
                    self.put(key, document)

        timer = threading.Timer(self.late_seconds, deliver)
        timer.daemon = True
        timer.start()

    def remove(self, key: ObjectKey) -> None:
        """Remove an object at once. May be repeated."""
        with self.changed:
            before = self._objects.pop(key, None)
            if before is not None:
                self.version += 1
                self._record(StoreChange(self.version, key, before, None))

    def edit(self, key: ObjectKey, change: Callable[[Object], None]) -> Object | None:
        """Change a copy of the object and write it. Returns None if the object does not exist."""
        with self.changed:
            before = self._objects.get(key)
            if before is None:
                return None
            document = copy.deepcopy(before)
            change(document)
            return self.put(key, document)

    def since(self, version: int) -> Sequence[StoreChange]:
        """Changes after a version, oldest first. Raises StatusError (410) if the version is too old."""
        with self.changed:
            if version < self.oldest:
                raise expired(version, self.oldest)
            return [each for each in self._changes if each.version > version]

    def wait(self, version: int, seconds: float) -> None:
        """Wait for a later version, up to `seconds`."""
        with self.changed:
            self.changed.wait_for(lambda: self.version > version, seconds)

    def expire(self) -> None:
        """Discard the change history: watches from earlier versions end with 410."""
        with self.changed:
            self.version += 1
            self._changes.clear()
            self.oldest = self.version
            self.era += 1
            self.changed.notify_all()

    def clear(self) -> None:
        """Remove all objects and the change history."""
        with self.changed:
            self._objects.clear()
            self.expire()

    def _record(self, change: StoreChange) -> None:
        self._changes.append(change)
        if len(self._changes) > _REMEMBERED:
            self.oldest = self._changes[len(self._changes) - _REMEMBERED // 2].version
            del self._changes[: len(self._changes) - _REMEMBERED // 2]
        self.changed.notify_all()


def new_object(document: Object) -> Object:
    """A new object, with uid and creationTimestamp."""
    metadata = {**document["metadata"], "uid": str(uuid.uuid4()), "creationTimestamp": now()}
    return {**document, "metadata": metadata}


def _is_unchanged(before: Object, document: Object) -> bool:
    old, new = dict(before["metadata"]), dict(document["metadata"])
    old.pop("resourceVersion", None)
    new.pop("resourceVersion", None)
    return old == new and {**before, "metadata": 0} == {**document, "metadata": 0}


def now(after: float = 0.0) -> str:
    """The current time plus `after` seconds, with a precision of seconds."""
    return f"{datetime.now(UTC) + timedelta(seconds=after):%Y-%m-%dT%H:%M:%SZ}"


def precise() -> str:
    """The current time with a precision of microseconds, as in logs."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def since(written: str) -> float:
    """Seconds since a time."""
    return (datetime.now(UTC) - moment(written)).total_seconds()


def moment(written: str) -> datetime:
    """Parse a time. Raises ValueError."""
    return datetime.fromisoformat(written)
