"""What watches over others: autoscalers, disruption budgets, quotas."""

from __future__ import annotations

from functools import partial

from mldeploy.rehearsal.kubernetes.control.reading import is_ready, set_condition, share
from mldeploy.rehearsal.kubernetes.control.replica_sets import MANAGER
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.admission import usage
from mldeploy.rehearsal.kubernetes.objects.quantities import canonical
from mldeploy.rehearsal.kubernetes.objects.selectors import labels_of, selects
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, key_of
from mldeploy.rehearsal.kubernetes.objects.writing import MERGE_PATCH, Writer, Writing


class Autoscaling:
    """Keeps a Deployment between the least and the most; nothing here measures how busy it is.

    https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
    """

    def __init__(self, store: Store, writing: Writing) -> None:
        self._store = store
        self._writing = writing

    def sync(self) -> None:
        for each in self._store.list(kinds.AUTOSCALERS):
            target = each["spec"]["scaleTargetRef"]
            key = Key(kinds.DEPLOYMENTS, each["metadata"]["namespace"], target["name"])
            deployment = self._store.get(key) if target["kind"] == "Deployment" else None
            if deployment is None:
                self._say(each, 0, 0, found=False)
            else:
                self._hold(each, key, deployment["spec"]["replicas"])

    def _hold(self, autoscaler: Object, key: Key, count: int) -> None:
        spec = autoscaler["spec"]
        wanted = max(spec["minReplicas"], min(count, spec["maxReplicas"])) if count else 0
        if wanted != count:
            patch = {"spec": {"replicas": wanted}}
            self._writing.patch(key, MERGE_PATCH, patch, Writer(MANAGER), "scale")
        self._say(autoscaler, count, wanted, found=True)

    def _say(self, autoscaler: Object, count: int, wanted: int, *, found: bool) -> None:
        def change(made: Object) -> None:
            status = {**made.get("status", {}), "currentReplicas": count, "desiredReplicas": wanted}
            if found:
                text = "the HPA controller was able to get the target's current scale"
                set_condition(status, "AbleToScale", "True", "SucceededGetScale", text)
                text = "the HPA was unable to compute the replica count: nothing measures here"
                set_condition(status, "ScalingActive", "False", "FailedGetResourceMetric", text)
            else:
                text = "the HPA controller was unable to get the target's current scale"
                set_condition(status, "AbleToScale", "False", "FailedGetScale", text)
            made["status"] = status

        self._store.edit(key_of(kinds.AUTOSCALERS, autoscaler), change)


class Budgets:
    """How many Pods may be evicted. https://kubernetes.io/docs/tasks/run-application/configure-pdb/"""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sync(self) -> None:
        for each in self._store.list(kinds.BUDGETS):
            self._say(each)

    def _say(self, budget: Object) -> None:
        pods = self._store.list(kinds.PODS, budget["metadata"]["namespace"])
        pods = [each for each in pods if selects(budget["spec"].get("selector"), labels_of(each))]
        healthy, spec = sum(map(is_ready, pods)), budget["spec"]
        if "maxUnavailable" in spec:
            desired = len(pods) - share(spec["maxUnavailable"], len(pods), up=True)
        else:
            desired = share(spec.get("minAvailable", 1), len(pods), up=True)
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


class Quotas:
    """What is used of them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sync(self) -> None:
        for each in self._store.list(kinds.QUOTAS):
            hard, used = each["spec"].get("hard", {}), usage(self._store, each["metadata"]["namespace"])
            status = {"hard": hard, "used": {name: canonical(f"{used[name]:f}") for name in hard}}
            self._store.edit(key_of(kinds.QUOTAS, each), partial(_state, status))


def _state(status: Object, document: Object) -> None:
    document["status"] = status
