"""Deletion: immediate, graceful, or after dependents and finalizers.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.errors import conflict, forbidden, not_found
from mldeploy.rehearsal.kubernetes.objects.store import Store, now
from mldeploy.rehearsal.kubernetes.objects.types import Object, ObjectKey

PERMANENT_NAMESPACES = ("default", "kube-public", "kube-system")
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


@dataclass(frozen=True)
class DeleteOptions:
    """Delete options. grace: seconds; None: the object's own. uid, version: preconditions."""

    policy: str = ""
    grace: int | None = None
    uid: str = ""
    version: str = ""

    @classmethod
    def read(cls, options: Object) -> DeleteOptions:
        """Parse a DeleteOptions document. Raises StatusError."""
        policy, grace = options.get("propagationPolicy") or "", options.get("gracePeriodSeconds")
        if options.get("orphanDependents"):
            policy = "Orphan"
        conditions = options.get("preconditions") or {}
        return cls(policy, grace, conditions.get("uid", ""), conditions.get("resourceVersion", ""))


def delete_object(store: Store, key: ObjectKey, options: DeleteOptions) -> Object | None:
    """Begin to delete an object. Returns the terminating object; None if it is gone. Raises StatusError."""
    with store.changed:
        document = store.get(key)
        if document is None:
            raise not_found(key.resource, key.name)
        if key.resource is kinds.NAMESPACES and key.name in PERMANENT_NAMESPACES:
            raise forbidden(key.resource, key.name, "this namespace may not be deleted")
        _check_preconditions(key, document, options)
        terminating = _mark_terminating(key, document, options)
        if terminating is None:
            store.remove(key)
            return None
        return store.put(key, terminating)


def _check_preconditions(key: ObjectKey, document: Object, options: DeleteOptions) -> None:
    preconditions = {"UID": (options.uid, document["metadata"]["uid"]), "ResourceVersion": (options.version, None)}
    if options.version:
        preconditions["ResourceVersion"] = (options.version, document["metadata"]["resourceVersion"])
    for what, (grace, actual) in preconditions.items():
        if grace and grace != actual:
            raise conflict(
                key.resource,
                key.name,
                f"the {what} in the precondition ({grace}) does not match the {what} in record ({actual}). "
                "The object might have been deleted and then recreated",
            )


def _mark_terminating(key: ObjectKey, document: Object, options: DeleteOptions) -> Object | None:
    """The terminating object; None if it can be removed at once."""
    terminating = copy.deepcopy(document)
    metadata = terminating["metadata"]
    finalizers = [each for each in metadata.get("finalizers", ()) if each not in (FOREGROUND, ORPHAN)]
    if options.policy == "Foreground":
        finalizers.append(FOREGROUND)
    elif options.policy == "Orphan":
        finalizers.append(ORPHAN)
    elif "deletionTimestamp" in metadata and not options.policy:
        finalizers = metadata.get("finalizers", [])
    grace = _grace_seconds(key, terminating, options)
    if not finalizers and grace == 0 and not _is_held(terminating):
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
        terminating["status"] = {**terminating.get("status", {}), "phase": "Terminating"}
    return terminating


def _is_held(document: Object) -> bool:
    """Whether it is a namespace that still has contents."""
    return document.get("kind") == "Namespace" and bool(document.get("spec", {}).get("finalizers"))


def _grace_seconds(key: ObjectKey, document: Object, options: DeleteOptions) -> int:
    if not key.resource.graceful or document.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if not document["spec"].get("nodeName"):
        return 0
    grace = document["spec"].get("terminationGracePeriodSeconds", 30) if options.grace is None else options.grace
    return max(0, int(grace))


def put_or_finalize(store: Store, key: ObjectKey, document: Object) -> Object | None:
    """Write an object, or remove it if it is terminating without finalizers. Returns None if removed."""
    metadata = document["metadata"]
    waits = "deletionTimestamp" in metadata and not metadata.get("finalizers") and not _is_held(document)
    if waits and not metadata.get("deletionGracePeriodSeconds"):
        store.remove(key)
        return None
    return store.put(key, document)
