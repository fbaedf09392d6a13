"""Controllers for autoscalers, disruption budgets and quotas."""

from __future__ import annotations

from functools import partial

from mldeploy.rehearsal.kubernetes.control.loop import is_ready, scaled_value, set_condition
from mldeploy.rehearsal.kubernetes.control.replica_sets import MANAGER
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.admission import namespace_usage
from mldeploy.rehearsal.kubernetes.objects.names import labels_of, matches_selector
from mldeploy.rehearsal.kubernetes.objects.quantities import format_quantity
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Object, ObjectKey, key_of
from mldeploy.rehearsal.kubernetes.objects.writer import MERGE_PATCH, ObjectWriter, WriteOptions


class HorizontalAutoscaler:
    """Keeps a Deployment between minReplicas and maxReplicas; metrics are not supported.

    https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
    """

    def __init__(self, store: Store, writer: ObjectWriter) -> None:
        self._store = store
        self._writer = writer

    def sync(self) -> None:
        for each in self._store.list(kinds.AUTOSCALERS):
            target = each["spec"]["scaleTargetRef"]
            key = ObjectKey(kinds.DEPLOYMENTS, each["metadata"]["namespace"], target["name"])
            deployment = self._store.get(key) if target["kind"] == "Deployment" else None
            if deployment is None:
                self._write_status(each, 0, 0, target_exists=False)
            else:
                self._scale(each, key, deployment["spec"]["replicas"])

    def _scale(self, autoscaler: Object, key: ObjectKey, count: int) -> None:
        spec = autoscaler["spec"]
        desired = max(spec["minReplicas"], min(count, spec["maxReplicas"])) if count else 0
        if desired != count:
            patch = {"spec": {"replicas": desired}}
            self._writer.patch(key, MERGE_PATCH, patch, WriteOptions(MANAGER), "scale")
        self._write_status(autoscaler, count, desired, target_exists=True)

    def _write_status(self, autoscaler: Object, count: int, desired: int, *, target_exists: bool) -> None:
        def change(made: Object) -> None:
            status = {**made.get("status", {}), "currentReplicas": count, "desiredReplicas": desired}
            if target_exists:
                text = "the HPA controller was able to get the target's current scale"
                set_condition(status, "AbleToScale", "True", "SucceededGetScale", text)
                text = "the HPA was unable to compute the replica count: nothing measures here"
                set_condition(status, "ScalingActive", "False", "FailedGetResourceMetric", text)
            else:
                text = "the HPA controller was unable to get the target's current scale"
                set_condition(status, "AbleToScale", "False", "FailedGetScale", text)
            made["status"] = status

        self._store.edit(key_of(kinds.AUTOSCALERS, autoscaler), change)


class DisruptionBudgets:
    """Computes how many Pods may be evicted. https://kubernetes.io/docs/tasks/run-application/configure-pdb/"""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sync(self) -> None:
        for each in self._store.list(kinds.BUDGETS):
            self._write_status(each)

    def _write_status(self, budget: Object) -> None:
        pods = self._store.list(kinds.PODS, budget["metadata"]["namespace"])
        pods = [each for each in pods if matches_selector(budget["spec"].get("selector"), labels_of(each))]
        healthy, spec = sum(map(is_ready, pods)), budget["spec"]
        if "maxUnavailable" in spec:
            desired = len(pods) - scaled_value(spec["maxUnavailable"], len(pods), up=True)
        else:
            desired = scaled_value(spec.get("minAvailable", 1), len(pods), up=True)
        allowed = max(0, healthy - max(0, desired))

        def change(made: Object) -> None:
            status: Object = {
                **made.get("status", {}),
                "currentHealthy": healthy,
                "desiredHealthy": max(0, desired),
                "expectedPods": len(pods),
                "disruptionsAllowed": allowed,
                "observedGeneration": made["metadata"]["generation"],
            }
            reason = "SufficientPods" if allowed else "InsufficientPods"
            set_condition(status, "DisruptionAllowed", "True" if allowed else "False", reason, "")
            made["status"] = status

        self._store.edit(key_of(kinds.BUDGETS, budget), change)


class ResourceQuotas:
    """Writes the used amounts of quotas."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sync(self) -> None:
        for each in self._store.list(kinds.QUOTAS):
            hard, used = each["spec"].get("hard", {}), namespace_usage(self._store, each["metadata"]["namespace"])
            status = {"hard": hard, "used": {name: format_quantity(f"{used[name]:f}") for name in hard}}
            self._store.edit(key_of(kinds.QUOTAS, each), partial(_set_status, status))


def _set_status(status: Object, document: Object) -> None:
    document["status"] = status
