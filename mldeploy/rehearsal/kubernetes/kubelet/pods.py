"""The life of a Pod: placed, started, ready, asked to end, gone.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

import threading
from functools import partial

from mldeploy.rehearsal.containers.host import Container
from mldeploy.rehearsal.kubernetes.control.events import NORMAL, WARNING
from mldeploy.rehearsal.kubernetes.control.reading import is_leaving, set_condition
from mldeploy.rehearsal.kubernetes.kubelet.containers import ContainerRun, Ground
from mldeploy.rehearsal.kubernetes.kubelet.logs import LogBuffer
from mldeploy.rehearsal.kubernetes.kubelet.nodes import place
from mldeploy.rehearsal.kubernetes.kubelet.volumes import Volumes
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.clock import now
from mldeploy.rehearsal.kubernetes.objects.types import Object, key_of

_TOO_LONG = "Pod was active on the node longer than the specified deadline"
_PATIENCE = 30.0
"""Seconds to wait for containers whose cluster goes."""


class RunningPod:
    """One Pod on its node. It lives in a thread of its own."""

    def __init__(self, ground: Ground, pod: Object) -> None:
        self._ground = ground
        self._first = pod
        self._key = key_of(kinds.PODS, pod)
        self._uid = pod["metadata"]["uid"]
        self._asked = threading.Event()
        self._mutex = threading.Lock()
        self._volumes = Volumes(ground.store, ground.folder / self._uid)
        self._late = False
        """It has run longer than it may."""
        self._first_runs = [self._run(each, once=True) for each in pod["spec"].get("initContainers") or ()]
        self._runs = [self._run(each) for each in pod["spec"]["containers"]]
        self.thread = threading.Thread(target=self._live, daemon=True)

    def container(self, name: str) -> Container | None:
        """The container of that name, while it runs."""
        return next((each.running for each in self._every if each.specification["name"] == name), None)

    def log(self, name: str, *, previous: bool = False) -> LogBuffer | None:
        """What it writes, or what the one before it wrote; None if there was none."""
        found = next((each for each in self._every if each.specification["name"] == name), None)
        if found is None:
            return None
        if previous:
            return found.previous if found.status.restarts or found.running else None
        return found.log

    def stop(self, grace: int) -> None:
        """Begin its end. May be repeated: a shorter grace counts."""
        self._asked.set()
        self._end(grace)

    def vanish(self) -> None:
        """End at once, whatever runs in it."""
        self._asked.set()
        for each in self._every:
            each.stop(0)
            if each.running is not None:
                each.running.remove()
        self._volumes.remove()

    @property
    def _every(self) -> list[ContainerRun]:
        return [*self._first_runs, *self._runs]

    def _run(self, specification: Object, *, once: bool = False) -> ContainerRun:
        return ContainerRun(self._ground, specification, self._volumes, self._now, self._say, once=once)

    def _end(self, grace: int) -> None:
        for each in self._every:
            threading.Thread(target=each.stop, args=(grace,), daemon=True).start()

    def _now(self) -> Object:
        found = self._ground.store.get(self._key)
        return found if found is not None and found["metadata"]["uid"] == self._uid else self._first

    def _live(self) -> None:
        if self._placed():
            limit = self._limited()
            self._say()
            self._asked.wait(self._ground.pace)
            if self._initialized():
                self._run_all()
            self._say()
            limit.cancel()
        self._asked.wait()
        self._leave()

    def _initialized(self) -> bool:
        """One after the other has come to a good end. https://kubernetes.io/docs/concepts/workloads/pods/init-containers/"""
        for each in self._first_runs:
            each.run()
            if not each.is_complete:
                return False
        return True

    def _run_all(self) -> None:
        threads = [threading.Thread(target=each.run, daemon=True) for each in self._runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _limited(self) -> threading.Timer:
        """Ends what runs longer than it may. Pod's API: `activeDeadlineSeconds`."""
        seconds = self._first["spec"].get("activeDeadlineSeconds")
        timer = threading.Timer(seconds or 0, self._exceed)
        timer.daemon = True
        if seconds:
            timer.start()
        return timer

    def _exceed(self) -> None:
        if self._asked.is_set():
            return
        self._late = True
        self._ground.recorder.tell(self._now(), NORMAL, "DeadlineExceeded", _TOO_LONG)
        self._say()
        self._end(int(self._first["spec"].get("terminationGracePeriodSeconds", 30)))

    def _placed(self) -> bool:
        """It has a node; False if it was asked to end before."""
        store, recorder = self._ground.store, self._ground.recorder
        while not self._asked.is_set():
            with store.changed:  # two must not take the same room
                version = store.version
                node, why = place(store, self._now())
                if node:
                    store.edit(self._key, partial(_bind, node))
            if node:
                name = f"{self._key.namespace}/{self._key.name}"
                recorder.tell(self._now(), NORMAL, "Scheduled", f"Successfully assigned {name} to {node}")
                return True
            recorder.tell(self._now(), WARNING, "FailedScheduling", why)
            store.edit(self._key, partial(_unschedulable, why))
            store.wait(max(version, store.version), 0.5)
        return False

    def _leave(self) -> None:
        """The last of it, once nothing of it runs."""
        self._volumes.remove()
        if is_leaving(self._now()):
            self._asked.wait(self._ground.pace)
            with self._ground.store.changed:
                found = self._ground.store.get(self._key)
                if found is not None and found["metadata"]["uid"] == self._uid:
                    self._ground.store.remove(self._key)

    def _say(self) -> None:
        """Write its status."""
        with self._mutex:
            self._ground.store.edit(self._key, self._describe)

    def _describe(self, made: Object) -> None:
        if made["metadata"]["uid"] != self._uid:
            return
        status, every = made["status"], [each.status for each in self._runs]
        waiting = [each.specification["name"] for each in self._first_runs if not each.is_complete]
        if self._first_runs:
            first = [each.status.document(each.specification) for each in self._first_runs]
            status["initContainerStatuses"] = [{**each, "ready": "terminated" in each["state"]} for each in first]
        status["containerStatuses"] = [each.status.document(each.specification) for each in self._runs]
        address = next((each.running.address for each in self._runs if each.running is not None), "")
        if address:
            status.update(podIP=address, podIPs=[{"ip": address}], hostIP="127.0.0.1", hostIPs=[{"ip": "127.0.0.1"}])
        status["phase"] = "Failed" if self._late else _phase(made, status.get("phase", "Pending"))
        if self._late:
            status.update(reason="DeadlineExceeded", message=_TOO_LONG)
        ready = all(each.ready for each in every) and not self._over(status)
        names = ", ".join(each.specification["name"] for each in self._runs if not each.status.ready)
        reason, text = ("", "") if ready else ("ContainersNotReady", f"containers with unready status: [{names}]")
        if waiting:
            text = f"containers with incomplete status: [{' '.join(waiting)}]"
            set_condition(status, "Initialized", "False", "ContainersNotInitialized", text)
        else:
            set_condition(status, "Initialized", "True", "", "")
        for kind in ("ContainersReady", "Ready"):
            set_condition(status, kind, "True" if ready else "False", reason, text)

    def _over(self, status: Object) -> bool:
        return status["phase"] in ("Succeeded", "Failed")


def _phase(pod: Object, before: str) -> str:
    states = [each["state"] for each in pod["status"]["containerStatuses"]]
    first = [each["state"].get("terminated", {}) for each in pod["status"].get("initContainerStatuses", ())]
    if pod["spec"].get("restartPolicy") == "Never" and any(each.get("exitCode") for each in first):
        return "Failed"
    if all("terminated" in each for each in states) and (
        is_leaving(pod) or pod["spec"].get("restartPolicy") != "Always"
    ):
        return "Failed" if any(each["terminated"]["exitCode"] for each in states) else "Succeeded"
    begun = any("running" in each or "terminated" in each for each in states)
    return "Running" if begun or before == "Running" else "Pending"


def _bind(node: str, pod: Object) -> None:
    pod["spec"]["nodeName"] = node
    pod["status"]["startTime"] = now()
    set_condition(pod["status"], "PodScheduled", "True", "", "")


def _unschedulable(why: str, pod: Object) -> None:
    set_condition(pod["status"], "PodScheduled", "False", "Unschedulable", why)


class Pods:
    """All Pods of a cluster; a controller, too: it takes on new ones, and ends those that are to end."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._pods: dict[str, RunningPod] = {}
        self._told: dict[str, int] = {}
        self._mutex = threading.Lock()

    def find(self, uid: str) -> RunningPod | None:
        with self._mutex:
            return self._pods.get(uid)

    def sync(self) -> None:
        there = {each["metadata"]["uid"]: each for each in self._ground.store.list(kinds.PODS)}
        for uid, pod in there.items():
            self._see_to(uid, pod)
        for uid in [uid for uid in self._pods if uid not in there]:
            with self._mutex:
                gone = self._pods.pop(uid)
            self._told.pop(uid, None)
            threading.Thread(target=gone.vanish, daemon=True).start()

    def _see_to(self, uid: str, pod: Object) -> None:
        running = self.find(uid)
        if running is None:
            running = RunningPod(self._ground, pod)
            with self._mutex:
                self._pods[uid] = running
            running.thread.start()
        grace = int(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        if is_leaving(pod) and grace < self._told.get(uid, 1 << 30):
            self._told[uid] = grace
            running.stop(grace)

    def close(self) -> None:
        """End all at once; nothing of them is left."""
        with self._mutex:
            every, self._pods = list(self._pods.values()), {}
        threads = [threading.Thread(target=each.vanish, daemon=True) for each in every]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_PATIENCE)
        self._told.clear()
