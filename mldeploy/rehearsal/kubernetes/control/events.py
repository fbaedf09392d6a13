"""Events: what the parts of a cluster say of objects. https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/"""

from __future__ import annotations

import secrets

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.clock import now
from mldeploy.rehearsal.kubernetes.objects.store import Store, born
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object

NORMAL, WARNING = "Normal", "Warning"


class Recorder:
    """source: which part of the cluster speaks."""

    def __init__(self, store: Store, source: str) -> None:
        self._store = store
        self._source = source

    def tell(self, about: Object, kind: str, reason: str, message: str) -> None:
        """The same again is counted."""
        metadata = about["metadata"]
        with self._store.changed:
            for each in self._store.list(kinds.EVENTS, metadata.get("namespace", "default")):
                involved = each["involvedObject"]
                if (involved.get("uid"), each["reason"], each["message"]) == (metadata["uid"], reason, message):
                    key = Key(kinds.EVENTS, each["metadata"]["namespace"], each["metadata"]["name"])
                    self._store.edit(key, _again)
                    return
            self._make(about, kind, reason, message)

    def tell_once(self, about: Object, kind: str, reason: str, message: str) -> None:
        """The same again is not told of."""
        uid, namespace = about["metadata"]["uid"], about["metadata"].get("namespace", "default")
        with self._store.changed:
            told = self._store.list(kinds.EVENTS, namespace)
            if not any((each["involvedObject"].get("uid"), each["message"]) == (uid, message) for each in told):
                self._make(about, kind, reason, message)

    def _make(self, about: Object, kind: str, reason: str, message: str) -> None:
        metadata = about["metadata"]
        namespace = metadata.get("namespace", "default")
        name = f"{metadata['name']}.{secrets.token_hex(8)}"
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "kind": about["kind"],
                "apiVersion": about["apiVersion"],
                "name": metadata["name"],
                "namespace": namespace,
                "uid": metadata["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": self._source},
            "reportingComponent": self._source,
            "count": 1,
            "firstTimestamp": now(),
            "lastTimestamp": now(),
        }
        self._store.put(Key(kinds.EVENTS, namespace, name), born(event))


def _again(event: Object) -> None:
    event["count"] += 1
    event["lastTimestamp"] = now()
