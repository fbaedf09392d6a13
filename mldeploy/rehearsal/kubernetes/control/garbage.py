"""What goes because its owner goes. https://kubernetes.io/docs/concepts/architecture/garbage-collection/"""

from __future__ import annotations

from mldeploy.rehearsal.kubernetes.control.reading import is_leaving, owners
from mldeploy.rehearsal.kubernetes.objects.removal import FOREGROUND, ORPHAN, Removal, released, remove
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object


class GarbageCollector:
    """One step at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sync(self) -> None:
        every = self._store.every()
        alive = {document["metadata"]["uid"] for _, document in every}
        for key, document in every:
            if (uids := owners(document)) and not alive.intersection(uids) and not is_leaving(document):
                self._remove(key, "")
        for key, document in every:
            finalizers = document["metadata"].get("finalizers", ())
            if is_leaving(document) and ORPHAN in finalizers:
                self._orphan(key, document)
            elif is_leaving(document) and FOREGROUND in finalizers:
                self._wait_for_dependents(key, document)

    def _dependents(self, document: Object) -> list[tuple[Key, Object]]:
        uid = document["metadata"]["uid"]
        return [(key, each) for key, each in self._store.every() if uid in owners(each)]

    def _wait_for_dependents(self, key: Key, document: Object) -> None:
        dependents = self._dependents(document)
        if not dependents:
            self._release(key, FOREGROUND)
        for other, each in dependents:
            if not is_leaving(each):
                self._remove(other, "" if other.resource.graceful else "Foreground")

    def _orphan(self, key: Key, document: Object) -> None:
        uid = document["metadata"]["uid"]

        def let_go(each: Object) -> None:
            references = each["metadata"]["ownerReferences"]
            each["metadata"]["ownerReferences"] = [one for one in references if one["uid"] != uid]

        for other, _ in self._dependents(document):
            self._store.edit(other, let_go)
        self._release(key, ORPHAN)

    def _remove(self, key: Key, policy: str) -> None:
        with self._store.changed:
            if self._store.get(key) is not None:
                remove(self._store, key, Removal(policy))

    def _release(self, key: Key, finalizer: str) -> None:
        release(self._store, key, finalizer)


def release(store: Store, key: Key, finalizer: str) -> None:
    """Nothing that this finalizer stands for keeps an object any more."""
    with store.changed:
        found = store.get(key)
        if found is None:
            return
        kept = [each for each in found["metadata"].get("finalizers", ()) if each != finalizer]
        metadata = {name: each for name, each in found["metadata"].items() if name != "finalizers"}
        released(store, key, {**found, "metadata": {**metadata, **({"finalizers": kept} if kept else {})}})
