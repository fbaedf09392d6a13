"""How far a rollout is, as its Deployment's status says it.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
"""

from __future__ import annotations

from collections.abc import Sequence

from mldeploy.rehearsal.kubernetes.control.reading import condition, is_leaving, is_ready, owned
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.clock import now, since
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Object

_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def active(store: Store, replica_set: Object) -> list[Object]:
    """Its Pods that have not been told to end."""
    return [each for each in owned(store, kinds.PODS, replica_set) if not is_leaving(each)]


def available(pod: Object, seconds: int) -> bool:
    """It has been ready for so long."""
    if not is_ready(pod):
        return False
    return seconds == 0 or since((condition(pod, "Ready") or {})["lastTransitionTime"]) >= seconds


def status_of(store: Store, deployment: Object, newest: Object, earlier: Sequence[Object]) -> Object:
    """The status as it should be now."""
    spec, seconds = deployment["spec"], int(deployment["spec"].get("minReadySeconds", 0))
    mine = active(store, newest)
    every = [*mine, *(pod for each in earlier for pod in active(store, each))]
    serving = sum(available(each, seconds) for each in every)
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
        _available(deployment, lacking == 0),
        _progressing(deployment, newest, complete=complete, moved=moved),
    ]
    if failure := condition(newest, "ReplicaFailure"):
        conditions.append(dict(failure))
    return {**made, "conditions": conditions}


def _available(deployment: Object, is_so: bool) -> Object:
    if is_so:
        return _said(
            deployment, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."
        )
    what = "Deployment does not have minimum availability."
    return _said(deployment, "Available", "False", "MinimumReplicasUnavailable", what)


def _progressing(deployment: Object, newest: Object, *, complete: bool, moved: bool) -> Object:
    name = newest["metadata"]["name"]
    if complete:
        what = f'ReplicaSet "{name}" has successfully progressed.'
        return _said(deployment, "Progressing", "True", "NewReplicaSetAvailable", what)
    before = condition(deployment, "Progressing") or {}
    limit = int(deployment["spec"].get("progressDeadlineSeconds", 600))
    waiting = before.get("reason") in ("ReplicaSetUpdated", "ProgressDeadlineExceeded") and name in before["message"]
    late = before.get("status") == "False" or (waiting and since(before["lastUpdateTime"]) > limit)
    if waiting and not moved and late:
        what = f'ReplicaSet "{name}" has timed out progressing.'
        return _said(deployment, "Progressing", "False", "ProgressDeadlineExceeded", what)
    what = f'ReplicaSet "{name}" is progressing.'
    return _said(deployment, "Progressing", "True", "ReplicaSetUpdated", what, fresh=moved)


def _said(deployment: Object, kind: str, status: str, reason: str, message: str, *, fresh: bool = False) -> Object:
    """A condition keeps its times until it changes. fresh: something has happened, though its words are the same."""
    before, made = (
        condition(deployment, kind) or {},
        {"type": kind, "status": status, "reason": reason, "message": message},
    )
    same = all(before.get(name) == value for name, value in made.items())
    updated = before["lastUpdateTime"] if same and not fresh else now()
    turned = before["lastTransitionTime"] if before.get("status") == status else now()
    return {**made, "lastUpdateTime": updated, "lastTransitionTime": turned}
