"""Deployment controller: one ReplicaSet per template, rollouts and status.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from mldeploy.rehearsal.kubernetes.control.loop import (
    NORMAL,
    Recorder,
    find_condition,
    is_ready,
    is_terminating,
    list_owned,
    owner_reference,
    scaled_value,
)
from mldeploy.rehearsal.kubernetes.control.replica_sets import MANAGER, set_replicas
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.deletion import DeleteOptions, delete_object
from mldeploy.rehearsal.kubernetes.objects.store import Store, now, since
from mldeploy.rehearsal.kubernetes.objects.types import Object, key_of
from mldeploy.rehearsal.kubernetes.objects.writer import ObjectWriter, WriteOptions

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


@dataclass(frozen=True)
class DeploymentReplicaSets:
    """A Deployment with its ReplicaSets: the current one, and earlier ones, newest first."""

    deployment: Object
    newest: Object
    earlier: Sequence[Object]

    @property
    def desired(self) -> int:
        return int(self.deployment["spec"]["replicas"])

    @property
    def seconds(self) -> int:
        return int(self.deployment["spec"].get("minReadySeconds", 0))

    def bound(self, name: str) -> int:
        """`maxSurge` and `maxUnavailable` in Pods: a percentage is rounded up for the one, and down for the other."""
        strategy = self.deployment["spec"]["strategy"]
        message = (strategy.get("rollingUpdate") or {}).get(name, "25%")
        return scaled_value(message, self.desired, up=name == "maxSurge")

    @property
    def may_lack(self) -> int:
        """Maximum missing Pods; 1 if maxSurge and maxUnavailable are both 0."""
        return self.bound("maxUnavailable") or (0 if self.bound("maxSurge") else 1)


class DeploymentController:
    """Reconciles all Deployments, one step per sync."""

    def __init__(self, store: Store, writer: ObjectWriter) -> None:
        self._store = store
        self._writer = writer
        self._recorder = Recorder(store, "deployment-controller")

    def sync(self) -> None:
        for each in self._store.list(kinds.DEPLOYMENTS):
            if not is_terminating(each):
                with self._store.changed:
                    self._sync_deployment(each)

    def _sync_deployment(self, deployment: Object) -> None:
        current = self._store.get(key_of(kinds.DEPLOYMENTS, deployment))
        if current is None or is_terminating(current):
            return
        rollout = self._rollout(current)
        if not deployment["spec"].get("paused"):
            if deployment["spec"]["strategy"]["type"] == "Recreate":
                self._recreate(rollout)
            else:
                self._step(rollout)
        self._delete_old_replica_sets(rollout)
        current = self._store.get(key_of(kinds.DEPLOYMENTS, deployment))
        if current is not None:
            status = deployment_status(self._store, current, rollout.newest, rollout.earlier)
            self._store.edit(key_of(kinds.DEPLOYMENTS, current), partial(_set_status, status))

    def _rollout(self, deployment: Object) -> DeploymentReplicaSets:
        sets = sorted(list_owned(self._store, kinds.REPLICA_SETS, deployment), key=revision, reverse=True)
        digest = _digest(deployment["spec"]["template"])
        newest = next((each for each in sets if each["metadata"]["labels"].get(HASH) == digest), None)
        highest = max(map(revision, sets), default=0)
        if newest is None:
            newest = self._create_replica_set(deployment, digest, highest + 1)
        elif revision(newest) < highest:
            newest = self._store.edit(key_of(kinds.REPLICA_SETS, newest), partial(_set_revision, highest + 1)) or newest
        number, key = str(revision(newest)), key_of(kinds.DEPLOYMENTS, deployment)
        if (deployment["metadata"].get("annotations") or {}).get(REVISION) != number:
            deployment = self._store.edit(key, partial(_set_revision, int(number))) or deployment
        others = [each for each in sets if each["metadata"]["uid"] != newest["metadata"]["uid"]]
        return DeploymentReplicaSets(deployment, newest, others)

    def _create_replica_set(self, deployment: Object, digest: str, number: int) -> Object:
        metadata, template = deployment["metadata"], copy.deepcopy(deployment["spec"]["template"])
        labels = {**(template.get("metadata") or {}).get("labels", {}), HASH: digest}
        template["metadata"] = {**template.get("metadata", {}), "labels": labels}
        selector = copy.deepcopy(deployment["spec"]["selector"])
        selector.setdefault("matchLabels", {})[HASH] = digest
        kept = {name: text for name, text in (metadata.get("annotations") or {}).items() if "last-applied" not in name}
        made = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{metadata['name']}-{digest}",
                "labels": labels,
                "annotations": {**kept, REVISION: str(number)},
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {
                "replicas": 0,
                "selector": selector,
                "template": template,
                "minReadySeconds": deployment["spec"].get("minReadySeconds", 0),
            },
        }
        return self._writer.create(kinds.REPLICA_SETS, metadata["namespace"], made, WriteOptions(MANAGER))

    def _step(self, rollout: DeploymentReplicaSets) -> None:
        """Scale the new ReplicaSet up within maxSurge, then the old ones down within maxUnavailable."""
        running = [each["spec"]["replicas"] for each in rollout.earlier]
        has, desired = rollout.newest["spec"]["replicas"], rollout.desired
        room = desired + rollout.bound("maxSurge") - sum(running) - has
        grown = min(desired, has + max(0, room))
        self._scale(rollout, rollout.newest, grown)
        serving = sum(self._available(rollout, each) for each in (rollout.newest, *rollout.earlier))
        spare = serving - max(0, desired - rollout.may_lack)
        for each in reversed(rollout.earlier):
            healthy, has = self._available(rollout, each), each["spec"]["replicas"]
            gone = (has - healthy) + min(healthy, max(0, spare))
            spare -= min(healthy, max(0, spare))
            self._scale(rollout, each, has - gone)

    def _recreate(self, rollout: DeploymentReplicaSets) -> None:
        for each in rollout.earlier:
            self._scale(rollout, each, 0)
        if not any(list_owned(self._store, kinds.PODS, each) for each in rollout.earlier):
            self._scale(rollout, rollout.newest, rollout.desired)

    def _available(self, rollout: DeploymentReplicaSets, replica_set: Object) -> int:
        return sum(is_available(each, rollout.seconds) for each in active_pods(self._store, replica_set))

    def _scale(self, rollout: DeploymentReplicaSets, replica_set: Object, count: int) -> None:
        has = replica_set["spec"]["replicas"]
        if has == count:
            return
        set_replicas(self._store, key_of(kinds.REPLICA_SETS, replica_set), count)
        way = "up" if count > has else "down"
        name = replica_set["metadata"]["name"]
        message = f"Scaled {way} replica set {name} from {has} to {count}"
        self._recorder.record(rollout.deployment, NORMAL, "ScalingReplicaSet", message)

    def _delete_old_replica_sets(self, rollout: DeploymentReplicaSets) -> None:
        """Delete idle ReplicaSets beyond revisionHistoryLimit."""
        idle = [each for each in rollout.earlier if not each["spec"]["replicas"] and not active_pods(self._store, each)]
        for each in idle[int(rollout.deployment["spec"].get("revisionHistoryLimit", 10)) :]:
            delete_object(self._store, key_of(kinds.REPLICA_SETS, each), DeleteOptions())


def revision(document: Object) -> int:
    """The revision number, as `kubectl rollout history` shows it."""
    return int((document["metadata"].get("annotations") or {}).get(REVISION, 0))


def _digest(template: Object) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def _set_revision(number: int, document: Object) -> None:
    document["metadata"].setdefault("annotations", {})[REVISION] = str(number)


def _set_status(status: Object, document: Object) -> None:
    document["status"] = status


_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def active_pods(store: Store, replica_set: Object) -> list[Object]:
    """The Pods of a ReplicaSet that are not terminating."""
    return [each for each in list_owned(store, kinds.PODS, replica_set) if not is_terminating(each)]


def is_available(pod: Object, seconds: int) -> bool:
    """Whether the Pod has been ready for `seconds`."""
    if not is_ready(pod):
        return False
    return seconds == 0 or since((find_condition(pod, "Ready") or {})["lastTransitionTime"]) >= seconds


def deployment_status(store: Store, deployment: Object, newest: Object, earlier: Sequence[Object]) -> Object:
    """Compute the current status of a Deployment."""
    spec, seconds = deployment["spec"], int(deployment["spec"].get("minReadySeconds", 0))
    mine = active_pods(store, newest)
    every = [*mine, *(pod for each in earlier for pod in active_pods(store, each))]
    serving = sum(is_available(each, seconds) for each in every)
    status: Object = {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        "replicas": len(every),
        "updatedReplicas": len(mine),
        "readyReplicas": sum(map(is_ready, every)),
        "availableReplicas": serving,
    }
    lacking = max(0, spec["replicas"] - serving)
    made = {name: value for name, value in status.items() if value}
    if lacking:
        made["unavailableReplicas"] = lacking
    complete = len(mine) == len(every) == spec["replicas"] and serving == spec["replicas"]
    before = deployment.get("status") or {}
    moved = any(before.get(name, 0) != status[name] for name in _COUNTS)
    conditions = [
        _available_condition(deployment, lacking == 0),
        _progressing_condition(deployment, newest, complete=complete, moved=moved),
    ]
    if failure := find_condition(newest, "ReplicaFailure"):
        conditions.append(dict(failure))
    return {**made, "conditions": conditions}


def _available_condition(deployment: Object, is_so: bool) -> Object:
    if is_so:
        return _deployment_condition(
            deployment, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."
        )
    what = "Deployment does not have minimum availability."
    return _deployment_condition(deployment, "Available", "False", "MinimumReplicasUnavailable", what)


def _progressing_condition(deployment: Object, newest: Object, *, complete: bool, moved: bool) -> Object:
    name = newest["metadata"]["name"]
    if complete:
        what = f'ReplicaSet "{name}" has successfully progressed.'
        return _deployment_condition(deployment, "Progressing", "True", "NewReplicaSetAvailable", what)
    before = find_condition(deployment, "Progressing") or {}
    limit = int(deployment["spec"].get("progressDeadlineSeconds", 600))
    waiting = before.get("reason") in ("ReplicaSetUpdated", "ProgressDeadlineExceeded") and name in before["message"]
    late = before.get("status") == "False" or (waiting and since(before["lastUpdateTime"]) > limit)
    if waiting and not moved and late:
        what = f'ReplicaSet "{name}" has timed out progressing.'
        return _deployment_condition(deployment, "Progressing", "False", "ProgressDeadlineExceeded", what)
    what = f'ReplicaSet "{name}" is progressing.'
    return _deployment_condition(deployment, "Progressing", "True", "ReplicaSetUpdated", what, fresh=moved)


def _deployment_condition(
    deployment: Object, kind: str, status: str, reason: str, message: str, *, fresh: bool = False
) -> Object:
    """Build a condition; its times change only with its content. fresh: update lastUpdateTime anyway."""
    before, made = (
        find_condition(deployment, kind) or {},
        {"type": kind, "status": status, "reason": reason, "message": message},
    )
    same = all(before.get(name) == value for name, value in made.items())
    updated = before["lastUpdateTime"] if same and not fresh else now()
    turned = before["lastTransitionTime"] if before.get("status") == status else now()
    return {**made, "lastUpdateTime": updated, "lastTransitionTime": turned}
