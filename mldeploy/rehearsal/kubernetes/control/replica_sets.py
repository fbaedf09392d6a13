"""ReplicaSet controller. https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/"""

from __future__ import annotations

import copy
from contextlib import suppress

from mldeploy.rehearsal.kubernetes.control.loop import (
    NORMAL,
    WARNING,
    Recorder,
    find_condition,
    is_condition_true,
    is_ready,
    is_terminating,
    list_owned,
    owner_reference,
    set_condition,
)
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.deletion import DeleteOptions, delete_object
from mldeploy.rehearsal.kubernetes.objects.errors import StatusError
from mldeploy.rehearsal.kubernetes.objects.store import Store, since
from mldeploy.rehearsal.kubernetes.objects.types import Object, ObjectKey, key_of
from mldeploy.rehearsal.kubernetes.objects.writer import ObjectWriter, WriteOptions

MANAGER = "kube-controller-manager"
_OVER = ("Succeeded", "Failed")


class ReplicaSetController:
    """Reconciles all ReplicaSets, one step per sync."""

    def __init__(self, store: Store, writer: ObjectWriter) -> None:
        self._store = store
        self._writer = writer
        self._recorder = Recorder(store, "replicaset-controller")

    def sync(self) -> None:
        for each in self._store.list(kinds.REPLICA_SETS):
            pods = list_owned(self._store, kinds.PODS, each)
            active = [pod for pod in pods if not is_terminating(pod) and pod["status"].get("phase") not in _OVER]
            failure = "" if is_terminating(each) else self._adjust(each, active)
            self._write_status(each, failure)

    def _adjust(self, replica_set: Object, active: list[Object]) -> str:
        """Create or delete Pods. Returns the error if a Pod cannot be created; "" on success."""
        missing = replica_set["spec"]["replicas"] - len(active)
        for _ in range(missing):
            if failure := self._create(replica_set):
                return failure
        for pod in sorted(active, key=_deletion_order)[: max(0, -missing)]:
            with suppress(StatusError):  # already deleted
                delete_object(self._store, key_of(kinds.PODS, pod), DeleteOptions())
                name = pod["metadata"]["name"]
                self._recorder.record(replica_set, NORMAL, "SuccessfulDelete", f"Deleted pod: {name}")
        return ""

    def _create(self, replica_set: Object) -> str:
        template, metadata = replica_set["spec"]["template"], replica_set["metadata"]
        made: Object = {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {
                **{name: template.get("metadata", {})[name] for name in template.get("metadata", {})},
                "generateName": f"{metadata['name']}-",
                "namespace": metadata["namespace"],
                "ownerReferences": [owner_reference(replica_set)],
            },
            "spec": copy.deepcopy(template["spec"]),
        }
        try:
            pod = self._writer.create(kinds.PODS, metadata["namespace"], made, WriteOptions(MANAGER))
        except StatusError as refused:
            self._recorder.record(replica_set, WARNING, "FailedCreate", f"Error creating: {refused.message}")
            return refused.message
        self._recorder.record(replica_set, NORMAL, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return ""

    def _write_status(self, replica_set: Object, failure: str) -> None:
        pods = [
            each
            for each in list_owned(self._store, kinds.PODS, replica_set)
            if not is_terminating(each) and each["status"].get("phase") not in _OVER
        ]
        ready = [each for each in pods if is_ready(each)]
        available = [each for each in ready if _is_available(each, replica_set["spec"].get("minReadySeconds", 0))]
        counts = {
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": len(ready),
            "availableReplicas": len(available),
        }

        def change(made: Object) -> None:
            status: Object = {"replicas": len(pods), "observedGeneration": made["metadata"]["generation"]}
            status |= {name: count for name, count in counts.items() if count}
            if failure:
                status["conditions"] = made.get("status", {}).get("conditions", [])
                set_condition(status, "ReplicaFailure", "True", "FailedCreate", failure)
            made["status"] = status

        self._store.edit(key_of(kinds.REPLICA_SETS, replica_set), change)


def _is_available(pod: Object, seconds: int) -> bool:
    ready = find_condition(pod, "Ready")
    return seconds == 0 or (ready is not None and since(ready["lastTransitionTime"]) >= seconds)


def _deletion_order(pod: Object) -> tuple[bool, bool, str]:
    """Sort key for deletion: unscheduled, not ready and young Pods first."""
    placed, created = bool(pod["spec"].get("nodeName")), pod["metadata"]["creationTimestamp"]
    return placed, is_condition_true(pod, "Ready"), "".join(chr(255 - ord(each)) for each in created)


def set_replicas(store: Store, key: ObjectKey, count: int) -> None:
    """Set the number of replicas."""

    def change(made: Object) -> None:
        if made["spec"]["replicas"] != count:
            made["spec"]["replicas"] = count
            made["metadata"]["generation"] = made["metadata"].get("generation", 1) + 1

    store.edit(key, change)
