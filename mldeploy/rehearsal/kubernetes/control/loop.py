"""The thread that runs all controllers of a cluster in turn."""

from __future__ import annotations

import secrets
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Protocol

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store, new_object, now
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object, ObjectKey

_TICK = 0.2
"""Seconds between syncs when nothing has changed."""


class Controller(Protocol):
    """Reconciles actual with desired state."""

    def sync(self) -> None:
        """Reconcile one step. May be repeated."""


class ControllerLoop:
    """Runs from `start` until `stop`."""

    def __init__(self, store: Store, controllers: Sequence[Controller]) -> None:
        self._store = store
        self._controllers = controllers
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.turn = threading.Lock()
        """While held, no controller runs."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop all controllers and wait. May be called before `start`."""
        self._ended.set()
        if self._thread.ident is None:
            return
        with self._store.changed:
            self._store.changed.notify_all()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ended.is_set():
            version = self._store.version
            for each in self._controllers:
                with self.turn:
                    self._try(each)
            if self._store.version == version:
                self._store.wait(version, _TICK)

    def _try(self, controller: Controller) -> None:
        """Run a controller. A failure is logged and does not stop the others."""
        try:
            controller.sync()
        except Exception:  # noqa: BLE001 - any failure is logged
            traceback.print_exc(file=sys.stderr)


def is_terminating(document: Object) -> bool:
    """Whether the object is being deleted."""
    return "deletionTimestamp" in document["metadata"]


def list_owned(store: Store, resource: ApiResource, owner: Object) -> list[Object]:
    """List the objects that an owner owns."""
    uid, namespace = owner["metadata"]["uid"], owner["metadata"].get("namespace", "")
    return [each for each in store.list(resource, namespace) if uid in owner_uids(each)]


def owner_uids(document: Object) -> Sequence[str]:
    """The uids of an object's owners."""
    return [each["uid"] for each in document["metadata"].get("ownerReferences") or ()]


def owner_reference(owner: Object) -> Object:
    """Build an owner reference."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def find_condition(document: Object, kind: str) -> Object | None:
    for each in document.get("status", {}).get("conditions") or ():
        if each["type"] == kind:
            match: Object = each
            return match
    return None


def is_condition_true(document: Object, kind: str) -> bool:
    current = find_condition(document, kind)
    return current is not None and current["status"] == "True"


def is_ready(pod: Object) -> bool:
    """Whether a Pod is ready and not terminating."""
    return is_condition_true(pod, "Ready") and not is_terminating(pod)


def set_condition(status: Object, kind: str, value: str, reason: str, message: str, *, touch: bool = False) -> None:
    """Set a condition in a status (modified). touch: set lastUpdateTime, too."""
    conditions = status.setdefault("conditions", [])
    old = next((each for each in conditions if each["type"] == kind), None)
    made: Object = {"type": kind, "status": value, "reason": reason, "message": message}
    same = old is not None and all(old.get(name) == made[name] for name in made)
    if same or (old is not None and (old["status"], old["reason"]) == (value, reason) and not message):
        return
    moved = old is None or old["status"] != value
    made["lastTransitionTime"] = now() if moved or old is None else old["lastTransitionTime"]
    if touch:
        made["lastUpdateTime"] = now()
    status["conditions"] = [each for each in conditions if each["type"] != kind] + [made]


def scaled_value(value: object, total: int, *, up: bool) -> int:
    """A number, or a percentage of the total, rounded up or down."""
    if not isinstance(value, str):
        return int(str(value))
    exact = int(value.removesuffix("%")) * total
    return -(-exact // 100) if up else exact // 100


NORMAL, WARNING = "Normal", "Warning"


class Recorder:
    """Records events. source: the reporting component."""

    def __init__(self, store: Store, source: str) -> None:
        self._store = store
        self._source = source

    def record(self, about: Object, kind: str, reason: str, message: str) -> None:
        """Record an event; a repeated event increments its count."""
        metadata = about["metadata"]
        with self._store.changed:
            for each in self._store.list(kinds.EVENTS, metadata.get("namespace", "default")):
                involved = each["involvedObject"]
                if (involved.get("uid"), each["reason"], each["message"]) == (metadata["uid"], reason, message):
                    key = ObjectKey(kinds.EVENTS, each["metadata"]["namespace"], each["metadata"]["name"])
                    self._store.edit(key, _count_event)
                    return
            self._make(about, kind, reason, message)

    def record_once(self, about: Object, kind: str, reason: str, message: str) -> None:
        """Record an event unless the same event exists."""
        uid, namespace = about["metadata"]["uid"], about["metadata"].get("namespace", "default")
        with self._store.changed:
            events = self._store.list(kinds.EVENTS, namespace)
            if not any((each["involvedObject"].get("uid"), each["message"]) == (uid, message) for each in events):
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
        self._store.put_late(ObjectKey(kinds.EVENTS, namespace, name), new_object(event))


def _count_event(event: Object) -> None:
    event["count"] += 1
    event["lastTimestamp"] = now()
