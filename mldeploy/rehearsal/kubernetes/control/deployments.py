"""Deployments: one ReplicaSet for each template, and a rollout from one to the next.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from mldeploy.rehearsal.kubernetes.control.events import NORMAL, Recorder
from mldeploy.rehearsal.kubernetes.control.progress import active, available, status_of
from mldeploy.rehearsal.kubernetes.control.reading import is_leaving, owned, owner_reference, share
from mldeploy.rehearsal.kubernetes.control.replica_sets import MANAGER, scale
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.removal import Removal, remove
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Object, key_of
from mldeploy.rehearsal.kubernetes.objects.writing import Writer, Writing

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


@dataclass(frozen=True)
class Rollout:
    """A Deployment with its ReplicaSets: that of its template, and the earlier ones, the newest first."""

    deployment: Object
    newest: Object
    earlier: Sequence[Object]

    @property
    def wanted(self) -> int:
        return int(self.deployment["spec"]["replicas"])

    @property
    def seconds(self) -> int:
        return int(self.deployment["spec"].get("minReadySeconds", 0))

    def bound(self, name: str) -> int:
        """`maxSurge` and `maxUnavailable` in Pods: a percentage is rounded up for the one, and down for the other."""
        strategy = self.deployment["spec"]["strategy"]
        said = (strategy.get("rollingUpdate") or {}).get(name, "25%")
        return share(said, self.wanted, up=name == "maxSurge")

    @property
    def may_lack(self) -> int:
        """So many Pods may be missing; where neither more nor fewer are allowed, one may."""
        return self.bound("maxUnavailable") or (0 if self.bound("maxSurge") else 1)


class DeploymentController:
    """Compares and does a step."""

    def __init__(self, store: Store, writing: Writing) -> None:
        self._store = store
        self._writing = writing
        self._recorder = Recorder(store, "deployment-controller")

    def sync(self) -> None:
        for each in self._store.list(kinds.DEPLOYMENTS):
            if not is_leaving(each):
                with self._store.changed:
                    self._roll(each)

    def _roll(self, deployment: Object) -> None:
        found = self._store.get(key_of(kinds.DEPLOYMENTS, deployment))
        if found is None or is_leaving(found):
            return
        rollout = self._rollout(found)
        if not deployment["spec"].get("paused"):
            if deployment["spec"]["strategy"]["type"] == "Recreate":
                self._recreate(rollout)
            else:
                self._step(rollout)
        self._forget(rollout)
        again = self._store.get(key_of(kinds.DEPLOYMENTS, deployment))
        if again is not None:
            told = status_of(self._store, again, rollout.newest, rollout.earlier)
            self._store.edit(key_of(kinds.DEPLOYMENTS, again), partial(_tell, told))

    def _rollout(self, deployment: Object) -> Rollout:
        sets = sorted(owned(self._store, kinds.REPLICA_SETS, deployment), key=revision, reverse=True)
        digest = _digest(deployment["spec"]["template"])
        newest = next((each for each in sets if each["metadata"]["labels"].get(HASH) == digest), None)
        highest = max(map(revision, sets), default=0)
        if newest is None:
            newest = self._made(deployment, digest, highest + 1)
        elif revision(newest) < highest:
            newest = self._store.edit(key_of(kinds.REPLICA_SETS, newest), partial(_number, highest + 1)) or newest
        number, key = str(revision(newest)), key_of(kinds.DEPLOYMENTS, deployment)
        if (deployment["metadata"].get("annotations") or {}).get(REVISION) != number:
            deployment = self._store.edit(key, partial(_number, int(number))) or deployment
        others = [each for each in sets if each["metadata"]["uid"] != newest["metadata"]["uid"]]
        return Rollout(deployment, newest, others)

    def _made(self, deployment: Object, digest: str, number: int) -> Object:
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
        return self._writing.create(kinds.REPLICA_SETS, metadata["namespace"], made, Writer(MANAGER))

    def _step(self, rollout: Rollout) -> None:
        """New ones as far as the surge allows, then old ones go as far as enough are there without them."""
        running = [each["spec"]["replicas"] for each in rollout.earlier]
        has, wanted = rollout.newest["spec"]["replicas"], rollout.wanted
        room = wanted + rollout.bound("maxSurge") - sum(running) - has
        grown = min(wanted, has + max(0, room))
        self._scale(rollout, rollout.newest, grown)
        serving = sum(self._available(rollout, each) for each in (rollout.newest, *rollout.earlier))
        spare = serving - max(0, wanted - rollout.may_lack)
        for each in reversed(rollout.earlier):
            healthy, has = self._available(rollout, each), each["spec"]["replicas"]
            gone = (has - healthy) + min(healthy, max(0, spare))
            spare -= min(healthy, max(0, spare))
            self._scale(rollout, each, has - gone)

    def _recreate(self, rollout: Rollout) -> None:
        for each in rollout.earlier:
            self._scale(rollout, each, 0)
        if not any(owned(self._store, kinds.PODS, each) for each in rollout.earlier):
            self._scale(rollout, rollout.newest, rollout.wanted)

    def _available(self, rollout: Rollout, replica_set: Object) -> int:
        return sum(available(each, rollout.seconds) for each in active(self._store, replica_set))

    def _scale(self, rollout: Rollout, replica_set: Object, count: int) -> None:
        has = replica_set["spec"]["replicas"]
        if has == count:
            return
        scale(self._store, key_of(kinds.REPLICA_SETS, replica_set), count)
        way = "up" if count > has else "down"
        name = replica_set["metadata"]["name"]
        said = f"Scaled {way} replica set {name} from {has} to {count}"
        self._recorder.tell(rollout.deployment, NORMAL, "ScalingReplicaSet", said)

    def _forget(self, rollout: Rollout) -> None:
        """Earlier templates are kept to go back to, but not all of them."""
        idle = [each for each in rollout.earlier if not each["spec"]["replicas"] and not active(self._store, each)]
        for each in idle[int(rollout.deployment["spec"].get("revisionHistoryLimit", 10)) :]:
            remove(self._store, key_of(kinds.REPLICA_SETS, each), Removal())


def revision(document: Object) -> int:
    """The number of a template, as `kubectl rollout history` shows it."""
    return int((document["metadata"].get("annotations") or {}).get(REVISION, 0))


def _digest(template: Object) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def _number(number: int, document: Object) -> None:
    document["metadata"].setdefault("annotations", {})[REVISION] = str(number)


def _tell(status: Object, document: Object) -> None:
    document["status"] = status
