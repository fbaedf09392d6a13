"""As many Pods of a kind as are wanted. https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/"""

from __future__ import annotations

import copy
from contextlib import suppress

from mldeploy.rehearsal.kubernetes.control.events import NORMAL, WARNING, Recorder
from mldeploy.rehearsal.kubernetes.control.reading import (
    condition,
    is_leaving,
    is_ready,
    is_true,
    owned,
    owner_reference,
    set_condition,
)
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.clock import since
from mldeploy.rehearsal.kubernetes.objects.refusals import Refused
from mldeploy.rehearsal.kubernetes.objects.removal import Removal, remove
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, key_of
from mldeploy.rehearsal.kubernetes.objects.writing import Writer, Writing

MANAGER = "kube-controller-manager"
_OVER = ("Succeeded", "Failed")


class ReplicaSetController:
    """Compares and does a step."""

    def __init__(self, store: Store, writing: Writing) -> None:
        self._store = store
        self._writing = writing
        self._recorder = Recorder(store, "replicaset-controller")

    def sync(self) -> None:
        for each in self._store.list(kinds.REPLICA_SETS):
            pods = owned(self._store, kinds.PODS, each)
            active = [pod for pod in pods if not is_leaving(pod) and pod["status"].get("phase") not in _OVER]
            failure = "" if is_leaving(each) else self._adjust(each, active)
            self._say(each, failure)

    def _adjust(self, replica_set: Object, active: list[Object]) -> str:
        """Why no more Pods can be made; "": nothing stands in the way."""
        missing = replica_set["spec"]["replicas"] - len(active)
        for _ in range(missing):
            if failure := self._create(replica_set):
                return failure
        for pod in sorted(active, key=_worth)[: max(0, -missing)]:
            with suppress(Refused):  # somebody else was faster
                remove(self._store, key_of(kinds.PODS, pod), Removal())
                name = pod["metadata"]["name"]
                self._recorder.tell(replica_set, NORMAL, "SuccessfulDelete", f"Deleted pod: {name}")
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
            pod = self._writing.create(kinds.PODS, metadata["namespace"], made, Writer(MANAGER))
        except Refused as refused:
            self._recorder.tell(replica_set, WARNING, "FailedCreate", f"Error creating: {refused.message}")
            return refused.message
        self._recorder.tell(replica_set, NORMAL, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return ""

    def _say(self, replica_set: Object, failure: str) -> None:
        pods = [
            each
            for each in owned(self._store, kinds.PODS, replica_set)
            if not is_leaving(each) and each["status"].get("phase") not in _OVER
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
    found = condition(pod, "Ready")
    return seconds == 0 or (found is not None and since(found["lastTransitionTime"]) >= seconds)


def _worth(pod: Object) -> tuple[bool, bool, str]:
    """The least is the first to go: not placed, not ready, young."""
    placed, created = bool(pod["spec"].get("nodeName")), pod["metadata"]["creationTimestamp"]
    return placed, is_true(pod, "Ready"), "".join(chr(255 - ord(each)) for each in created)


def scale(store: Store, key: Key, count: int) -> None:
    """Want another number."""

    def change(made: Object) -> None:
        if made["spec"]["replicas"] != count:
            made["spec"]["replicas"] = count
            made["metadata"]["generation"] = made["metadata"].get("generation", 1) + 1

    store.edit(key, change)
