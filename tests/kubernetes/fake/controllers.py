"""What a cluster does by itself: ReplicaSets, Pods, addresses, and taking away what is to go."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.errors import StatusError
from mldeploy.rehearsal.kubernetes.objects.store import Store, new_object, now
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object, key_of
from tests.kubernetes.fake.fate import WELL, Fate, status

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
BOUND = (kinds.PODS, kinds.REPLICA_SETS, kinds.DEPLOYMENTS)


class Controllers:
    """A thread that looks after each change until nothing is left to do.

    fate: of the pods that are made from now on. address: what each LoadBalancer gets, "" for none.
    """

    def __init__(self, store: Store) -> None:
        self.fate = WELL
        self.address = ""
        self.fates: dict[str, Fate] = {}
        """By the pod's name."""
        self._store = store
        self._numbers = itertools.count(1)
        self._ended = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def change(self, fate: Fate) -> None:
        """Another fate comes over every pod that there is, and those that will be made."""
        with self._store.changed:
            self.fate = fate
            for pod in self._store.list(kinds.PODS):
                self.fates[pod["metadata"]["name"]] = fate
                self._meet(pod, fate)

    def admit(self, pod: str) -> None:
        """Somebody makes a pod by hand: its fate is that of all. Raises Refused."""
        if self.fate.refused:
            raise StatusError(403, "Forbidden", self.fate.refused)
        self.fates[pod] = self.fate

    def reset(self) -> None:
        self.fate, self.address = WELL, ""
        self.fates.clear()

    def close(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        version = 0
        while not self._ended.is_set():
            self._store.wait(version, 1.0)
            with self._store.changed:
                while (before := self._store.version) != version:
                    version = before
                    self._look()

    def _look(self) -> None:
        self._collect()
        for deployment in self._store.list(kinds.DEPLOYMENTS):
            if "deletionTimestamp" not in deployment["metadata"]:
                self._roll(deployment)
        for pod in self._store.list(kinds.PODS):
            self._live(pod)
        for service in self._store.list(kinds.SERVICES):
            self._expose(service)

    def _collect(self) -> None:
        """What is marked goes once nothing of it is left; what has lost its owner goes with it."""
        for key, each in self._store.every():
            marked = "deletionTimestamp" in each["metadata"]
            if marked and key.resource is kinds.NAMESPACES:
                held = [other for other, _ in self._store.every() if other.namespace == key.name]
                for other in held:
                    self._store.remove(other)
            elif marked:
                for dependent in self._owned(BOUND, each):
                    self._store.remove(key_of(_resource(dependent), dependent))
            if marked and "test/holds" not in each["metadata"].get("finalizers", ()):
                self._store.remove(key)

    def _owned(self, resources: Iterable[ApiResource], owner: Object) -> Iterator[Object]:
        """All that belongs to an object, also by way of another."""
        for resource in resources:
            for each in self._store.list(resource):
                if any(ref["uid"] == owner["metadata"]["uid"] for ref in each["metadata"].get("ownerReferences", ())):
                    yield from self._owned(resources, each)
                    yield each

    def _roll(self, deployment: Object) -> None:
        """One step of a rolling update: new pods first, and old ones go for each new one that is ready."""
        sets = list(self._owned((kinds.REPLICA_SETS,), deployment))
        template, expected = deployment["spec"]["template"], deployment["spec"]["replicas"]
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        newest = next((each for each in sets if each["metadata"]["labels"][HASH] == digest), None)
        if newest is None or _revision(newest) < max(map(_revision, sets)):
            newest = self._numbered(deployment, newest, digest, 1 + max(map(_revision, sets), default=0))
        pods = {each["metadata"]["name"]: list(self._owned((kinds.PODS,), each)) for each in (*sets, newest)}
        mine = pods.pop(newest["metadata"]["name"])
        for _ in range(expected - len(mine)):
            self._make(newest)
        for each in mine[expected:]:
            self._store.remove(key_of(kinds.PODS, each))
        ready = [each for each in mine[:expected] if _is_ready(each)]
        old = [each for held in pods.values() for each in held]
        for each in old[: len(old) - max(0, expected - len(ready))]:
            self._store.remove(key_of(kinds.PODS, each))
        self._tell(deployment, newest, sets)

    def _numbered(self, deployment: Object, result: Object | None, digest: str, number: int) -> Object:
        """The ReplicaSet of a template, made if need be, under the next revision."""
        metadata, template = deployment["metadata"], copy.deepcopy(deployment["spec"]["template"])
        labels = {**template["metadata"]["labels"], HASH: digest}
        template["metadata"]["labels"] = labels
        notes = {**metadata.get("annotations", {}), REVISION: str(number)}
        if result is not None:
            notes = {**result["metadata"]["annotations"], **notes}
            made: Object = {**result, "metadata": {**result["metadata"], "annotations": notes}}
        else:
            made = new_object(
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "metadata": {
                        "name": f"{metadata['name']}-{digest}",
                        "namespace": metadata["namespace"],
                        "labels": labels,
                        "annotations": notes,
                        "ownerReferences": [_reference(deployment)],
                    },
                    "spec": {"selector": deployment["spec"]["selector"], "template": template},
                }
            )
        self._store.edit(
            key_of(kinds.DEPLOYMENTS, deployment),
            lambda it: it["metadata"].setdefault("annotations", {}).update({REVISION: str(number)}),
        )
        return self._store.put(key_of(kinds.REPLICA_SETS, made), made)

    def _make(self, owner: Object) -> None:
        if self.fate.refused:
            refusal = {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "message": self.fate.refused,
            }
            self._store.edit(
                key_of(kinds.REPLICA_SETS, owner), lambda it: it.setdefault("status", {}).update(conditions=[refusal])
            )
            return
        name = f"{owner['metadata']['name']}-{next(self._numbers):05}"
        self.fates[name] = self.fate
        template = owner["spec"]["template"]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **template["metadata"],
                "name": name,
                "namespace": owner["metadata"]["namespace"],
                "ownerReferences": [_reference(owner)],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        }
        self._store.put(key_of(kinds.PODS, pod), new_object(pod))

    def _live(self, pod: Object) -> None:
        """Its fate comes at the second look."""
        fate = self.fates.get(pod["metadata"]["name"])
        if fate is None or "containerStatuses" in pod["status"] or pod["status"].get("conditions"):
            return
        self._meet(pod, fate)

    def _meet(self, pod: Object, fate: Fate) -> None:
        for reason, message in fate.events:
            self._say(pod, reason, message)
        image = pod["spec"]["containers"][0]["image"]
        self._store.edit(key_of(kinds.PODS, pod), lambda it: it.update(status=status(fate, image)))

    def _say(self, about: Object, reason: str, message: str) -> None:
        metadata = about["metadata"]
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{next(self._numbers)}", "namespace": metadata["namespace"]},
            "involvedObject": {"kind": about["kind"], "name": metadata["name"], "uid": metadata["uid"]},
            "reason": reason,
            "message": message,
            "type": "Warning",
            "lastTimestamp": now(),
        }
        self._store.put(key_of(kinds.EVENTS, event), new_object(event))

    def _tell(self, deployment: Object, newest: Object, sets: list[Object]) -> None:
        """The statuses follow from the pods."""
        counts: dict[str, int] = {}
        for each in {one["metadata"]["uid"]: one for one in (*sets, newest)}.values():
            pods = list(self._owned((kinds.PODS,), each))
            ready = sum(map(_is_ready, pods))
            counts[each["metadata"]["uid"]] = len(pods)
            counts[f"ready {each['metadata']['uid']}"] = ready
            self._store.edit(
                key_of(kinds.REPLICA_SETS, each),
                lambda it, pods=pods, ready=ready: it.setdefault("status", {}).update(  # type: ignore[misc]
                    replicas=len(pods), readyReplicas=ready, availableReplicas=ready
                ),
            )
        uids = [key for key in counts if not key.startswith("ready ")]
        reported = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": sum(counts[each] for each in uids),
            "updatedReplicas": counts[newest["metadata"]["uid"]],
            "availableReplicas": sum(counts[f"ready {each}"] for each in uids),
        }
        self._store.edit(key_of(kinds.DEPLOYMENTS, deployment), lambda it: it.update(status=reported))

    def _expose(self, service: Object) -> None:
        if service["spec"]["type"] == "LoadBalancer" and self.address:
            reported = {"loadBalancer": {"ingress": [{"ip": self.address}]}}
            self._store.edit(key_of(kinds.SERVICES, service), lambda it: it.update(status=reported))


def _reference(owner: Object) -> Object:
    metadata = owner["metadata"]
    return {"kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"], "apiVersion": owner["apiVersion"]}


def _revision(each: Object) -> int:
    return int(each["metadata"]["annotations"][REVISION])


def _is_ready(pod: Any) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))


def _resource(document: Object) -> ApiResource:
    return next(each for each in BOUND if each.kind == document["kind"])
