"""What every namespace has, and how one ends."""

from __future__ import annotations

import time

from mldeploy.rehearsal.kubernetes.control.reading import is_leaving
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.removal import Removal, remove
from mldeploy.rehearsal.kubernetes.objects.store import Store, born
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, Resource

ROOT_CA = "kube-root-ca.crt"


class NamespaceController:
    """authority: the certificate, in PEM, that Pods are told to trust. pace: seconds that an end takes at least."""

    def __init__(self, store: Store, authority: str, pace: float) -> None:
        self._store = store
        self._authority = authority
        self._pace = pace
        self._ending: dict[str, float] = {}

    def sync(self) -> None:
        for each in self._store.list(kinds.NAMESPACES):
            if is_leaving(each):
                self._end(each)
            else:
                self._furnish(each["metadata"]["name"])

    def _furnish(self, namespace: str) -> None:
        self._give(kinds.ACCOUNTS, namespace, "default", {})
        self._give(kinds.CONFIG_MAPS, namespace, ROOT_CA, {"data": {"ca.crt": self._authority}})

    def _give(self, resource: Resource, namespace: str, name: str, content: Object) -> None:
        key = Key(resource, namespace, name)
        if self._store.get(key) is None:
            metadata = {"name": name, "namespace": namespace}
            document = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata, **content}
            self._store.put(key, born(document))

    def _end(self, namespace: Object) -> None:
        name, uid = namespace["metadata"]["name"], namespace["metadata"]["uid"]
        began = self._ending.setdefault(uid, time.monotonic())
        inside = [(key, each) for key, each in self._store.every() if key.namespace == name]
        for key, each in inside:
            if not is_leaving(each):
                with self._store.changed:
                    if self._store.get(key) is not None:
                        remove(self._store, key, Removal("Background"))
        if not inside and time.monotonic() - began >= self._pace:
            self._ending.pop(uid, None)
            self._store.remove(Key(kinds.NAMESPACES, "", name))
