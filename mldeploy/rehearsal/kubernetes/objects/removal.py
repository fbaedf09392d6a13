"""How an object goes: at once, or asked to end first, or once others have gone.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.clock import now
from mldeploy.rehearsal.kubernetes.objects.refusals import bad_request, conflict, not_found
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


@dataclass(frozen=True)
class Removal:
    """What DeleteOptions say. grace: seconds; None: what the object says. uid, version: what it must still be."""

    policy: str = ""
    grace: int | None = None
    uid: str = ""
    version: str = ""

    @classmethod
    def read(cls, options: Object) -> Removal:
        """Raises Refused."""
        policy, grace = options.get("propagationPolicy") or "", options.get("gracePeriodSeconds")
        if options.get("orphanDependents"):
            policy = "Orphan"
        if policy not in ("", "Background", "Foreground", "Orphan"):
            raise bad_request(f'invalid propagationPolicy: "{policy}"')
        conditions = options.get("preconditions") or {}
        return cls(policy, grace, conditions.get("uid", ""), conditions.get("resourceVersion", ""))


def remove(store: Store, key: Key, removal: Removal) -> Object | None:
    """Begin to remove an object. What is still there of it; None if it is gone. Raises Refused."""
    with store.changed:
        found = store.get(key)
        if found is None:
            raise not_found(key.resource, key.name)
        _meets(key, found, removal)
        made = _marked(key, found, removal)
        if made is None:
            store.remove(key)
            return None
        return store.put(key, made)


def _meets(key: Key, found: Object, removal: Removal) -> None:
    wanted = {"UID": (removal.uid, found["metadata"]["uid"]), "ResourceVersion": (removal.version, None)}
    if removal.version:
        wanted["ResourceVersion"] = (removal.version, found["metadata"]["resourceVersion"])
    for what, (said, is_now) in wanted.items():
        if said and said != is_now:
            raise conflict(
                key.resource,
                key.name,
                f"the {what} in the precondition ({said}) does not match the {what} in record ({is_now}). "
                "The object might have been deleted and then recreated",
            )


def _marked(key: Key, found: Object, removal: Removal) -> Object | None:
    """The object as it waits for its end; None if it need not wait."""
    made = copy.deepcopy(found)
    metadata = made["metadata"]
    finalizers = [each for each in metadata.get("finalizers", ()) if each not in (FOREGROUND, ORPHAN)]
    if removal.policy == "Foreground":
        finalizers.append(FOREGROUND)
    elif removal.policy == "Orphan":
        finalizers.append(ORPHAN)
    elif "deletionTimestamp" in metadata and not removal.policy:
        finalizers = metadata.get("finalizers", [])
    grace = _grace(key, made, removal)
    if not finalizers and grace == 0 and not _is_held(made):
        return None
    if finalizers:
        metadata["finalizers"] = finalizers
    earlier = metadata.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" not in metadata or (earlier is not None and grace < earlier):
        metadata["deletionTimestamp"] = now(grace)
        metadata["deletionGracePeriodSeconds"] = grace
        if key.resource.counted:
            metadata["generation"] = metadata.get("generation", 1) + 1
    if key.resource is kinds.NAMESPACES:
        made["status"] = {**made.get("status", {}), "phase": "Terminating"}
    return made


def _is_held(document: Object) -> bool:
    """A namespace, until all that is in it has gone."""
    return document.get("kind") == "Namespace" and bool(document.get("spec", {}).get("finalizers"))


def _grace(key: Key, document: Object, removal: Removal) -> int:
    if not key.resource.graceful or document.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if not document["spec"].get("nodeName"):
        return 0
    said = document["spec"].get("terminationGracePeriodSeconds", 30) if removal.grace is None else removal.grace
    return int(said)


def released(store: Store, key: Key, document: Object) -> Object | None:
    """Write an object; one that waits for its end and is held by nothing any more is gone then."""
    metadata = document["metadata"]
    waits = "deletionTimestamp" in metadata and not metadata.get("finalizers") and not _is_held(document)
    if waits and not metadata.get("deletionGracePeriodSeconds"):
        store.remove(key)
        return None
    return store.put(key, document)
