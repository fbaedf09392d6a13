"""Garbage collector and namespace controller. https://kubernetes.io/docs/concepts/architecture/garbage-collection/"""

from __future__ import annotations

import time

from mldeploy.rehearsal.kubernetes.control.loop import is_terminating, owner_uids
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.deletion import (
    FOREGROUND,
    ORPHAN,
    DeleteOptions,
    delete_object,
    put_or_finalize,
)
from mldeploy.rehearsal.kubernetes.objects.store import Store, new_object
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object, ObjectKey


class GarbageCollector:
    """Deletes dependents and finalizes owners, one step per sync."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sync(self) -> None:
        every = self._store.every()
        alive = {document["metadata"]["uid"] for _, document in every}
        for key, document in every:
            if (uids := owner_uids(document)) and not alive.intersection(uids) and not is_terminating(document):
                self._remove(key, "")
        for key, document in every:
            finalizers = document["metadata"].get("finalizers", ())
            if is_terminating(document) and ORPHAN in finalizers:
                self._orphan(key, document)
            elif is_terminating(document) and FOREGROUND in finalizers:
                self._wait_for_dependents(key, document)

    def _dependents(self, document: Object) -> list[tuple[ObjectKey, Object]]:
        uid = document["metadata"]["uid"]
        return [(key, each) for key, each in self._store.every() if uid in owner_uids(each)]

    def _wait_for_dependents(self, key: ObjectKey, document: Object) -> None:
        dependents = self._dependents(document)
        if not dependents:
            self._release(key, FOREGROUND)
        for other, each in dependents:
            if not is_terminating(each):
                self._remove(other, "" if other.resource.graceful else "Foreground")

    def _orphan(self, key: ObjectKey, document: Object) -> None:
        uid = document["metadata"]["uid"]

        def let_go(each: Object) -> None:
            references = each["metadata"]["ownerReferences"]
            each["metadata"]["ownerReferences"] = [one for one in references if one["uid"] != uid]

        for other, _ in self._dependents(document):
            self._store.edit(other, let_go)
        self._release(key, ORPHAN)

    def _remove(self, key: ObjectKey, policy: str) -> None:
        with self._store.changed:
            if self._store.get(key) is not None:
                delete_object(self._store, key, DeleteOptions(policy))

    def _release(self, key: ObjectKey, finalizer: str) -> None:
        remove_finalizer(self._store, key, finalizer)


def remove_finalizer(store: Store, key: ObjectKey, finalizer: str) -> None:
    """Remove a finalizer; the object is removed if it was the last one."""
    with store.changed:
        document = store.get(key)
        if document is None:
            return
        kept = [each for each in document["metadata"].get("finalizers", ()) if each != finalizer]
        metadata = {name: each for name, each in document["metadata"].items() if name != "finalizers"}
        put_or_finalize(store, key, {**document, "metadata": {**metadata, **({"finalizers": kept} if kept else {})}})


ROOT_CA = "kube-root-ca.crt"


class NamespaceController:
    """authority: CA certificate (PEM) for Pods. pace: minimum seconds of a deletion."""

    def __init__(self, store: Store, authority: str, pace: float) -> None:
        self._store = store
        self._authority = authority
        self._pace = pace
        self._ending: dict[str, float] = {}

    def sync(self) -> None:
        for each in self._store.list(kinds.NAMESPACES):
            if is_terminating(each):
                self._end(each)
            else:
                self._create_defaults(each["metadata"]["name"])

    def _create_defaults(self, namespace: str) -> None:
        self._create_object(kinds.ACCOUNTS, namespace, "default", {})
        self._create_object(kinds.CONFIG_MAPS, namespace, ROOT_CA, {"data": {"ca.crt": self._authority}})

    def _create_object(self, resource: ApiResource, namespace: str, name: str, content: Object) -> None:
        key = ObjectKey(resource, namespace, name)
        if self._store.get(key) is None:
            metadata = {"name": name, "namespace": namespace}
            document = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata, **content}
            self._store.put(key, new_object(document))

    def _end(self, namespace: Object) -> None:
        name, uid = namespace["metadata"]["name"], namespace["metadata"]["uid"]
        began = self._ending.setdefault(uid, time.monotonic())
        inside = [(key, each) for key, each in self._store.every() if key.namespace == name]
        for key, each in inside:
            if not is_terminating(each):
                with self._store.changed:
                    if self._store.get(key) is not None:
                        delete_object(self._store, key, DeleteOptions("Background"))
        if not inside and time.monotonic() - began >= self._pace:
            self._ending.pop(uid, None)
            self._store.remove(ObjectKey(kinds.NAMESPACES, "", name))
