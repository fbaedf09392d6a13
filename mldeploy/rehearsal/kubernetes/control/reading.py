"""What controllers ask of objects again and again."""

from __future__ import annotations

from collections.abc import Sequence

from mldeploy.rehearsal.kubernetes.objects.clock import now
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Object, Resource


def is_leaving(document: Object) -> bool:
    """It has been asked to end."""
    return "deletionTimestamp" in document["metadata"]


def owned(store: Store, resource: Resource, owner: Object) -> list[Object]:
    """What a controller has made for an object."""
    uid, namespace = owner["metadata"]["uid"], owner["metadata"].get("namespace", "")
    return [each for each in store.list(resource, namespace) if uid in owners(each)]


def owners(document: Object) -> Sequence[str]:
    """Their uids."""
    return [each["uid"] for each in document["metadata"].get("ownerReferences") or ()]


def owner_reference(owner: Object) -> Object:
    """What a thing says of who made it."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(document: Object, kind: str) -> Object | None:
    for each in document.get("status", {}).get("conditions") or ():
        if each["type"] == kind:
            found: Object = each
            return found
    return None


def is_true(document: Object, kind: str) -> bool:
    found = condition(document, kind)
    return found is not None and found["status"] == "True"


def is_ready(pod: Object) -> bool:
    """Requests may be sent to it."""
    return is_true(pod, "Ready") and not is_leaving(pod)


def set_condition(status: Object, kind: str, value: str, reason: str, message: str, *, touch: bool = False) -> None:
    """touch: note the time of an update, too, as Deployments do."""
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


def share(value: object, total: int, *, up: bool) -> int:
    """A number, or a percentage of the total, rounded up or down."""
    if not isinstance(value, str):
        return int(str(value))
    exact = int(value.removesuffix("%")) * total
    return -(-exact // 100) if up else exact // 100
