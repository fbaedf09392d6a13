"""Pod lifecycle: scheduling, start, readiness, termination and removal.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

import threading
from functools import partial

from mldeploy.rehearsal.containers.host import HostContainer
from mldeploy.rehearsal.kubernetes.control.loop import NORMAL, WARNING, is_terminating, set_condition
from mldeploy.rehearsal.kubernetes.harshness import NO_NODE, NODE_SECONDS
from mldeploy.rehearsal.kubernetes.kubelet.container_config import LogBuffer
from mldeploy.rehearsal.kubernetes.kubelet.containers import ContainerRun, NodeContext
from mldeploy.rehearsal.kubernetes.kubelet.volumes import Volumes, schedule_pod
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import now
from mldeploy.rehearsal.kubernetes.objects.types import Object, key_of

_TOO_LONG = "Pod was active on the node longer than the specified deadline"
_NO_NODE = "no nodes available to schedule pods"
_LATE_NODE_SECONDS = 0.3
_PATIENCE = 30.0
"""Seconds to wait for containers when the cluster closes."""


class RunningPod:
    """One Pod on its node, run in a separate thread."""

    def __init__(self, context: NodeContext, pod: Object, *, has_late_node: bool = False) -> None:
        self._context = context
        self._has_late_node = has_late_node
        self._first = pod
        self._key = key_of(kinds.PODS, pod)
        self._uid = pod["metadata"]["uid"]
        self._stop_requested = threading.Event()
        self._mutex = threading.Lock()
        self._volumes = Volumes(context.store, context.folder / self._uid)
        self._late = False
        """Set once the active deadline is exceeded."""
        self._first_runs = [self._create_run(each, once=True) for each in pod["spec"].get("initContainers") or ()]
        self._runs = [self._create_run(each) for each in pod["spec"]["containers"]]
        self.thread = threading.Thread(target=self._run, daemon=True)

    def container(self, name: str) -> HostContainer | None:
        """The container of that name, while it runs."""
        return next((each.running for each in self._every if each.specification["name"] == name), None)

    def log(self, name: str, *, previous: bool = False) -> LogBuffer | None:
        """The log of a container, or of its previous run; None if there is none."""
        container = next((each for each in self._every if each.specification["name"] == name), None)
        if container is None:
            return None
        if previous:
            return container.previous if container.status.restarts or container.running else None
        return container.log

    def stop(self, grace: int) -> None:
        """Begin termination. May be repeated: a shorter grace period takes effect."""
        self._stop_requested.set()
        self._end(grace)

    def vanish(self) -> None:
        """Kill all containers and remove the volumes."""
        self._stop_requested.set()
        for each in self._every:
            each.stop(0)
            if each.running is not None:
                each.running.remove()
        self._volumes.remove()

    @property
    def _every(self) -> list[ContainerRun]:
        return [*self._first_runs, *self._runs]

    def _create_run(self, specification: Object, *, once: bool = False) -> ContainerRun:
        return ContainerRun(self._context, specification, self._volumes, self._now, self._write_status, once=once)

    def _end(self, grace: int) -> None:
        for each in self._every:
            threading.Thread(target=each.stop, args=(grace,), daemon=True).start()

    def _now(self) -> Object:
        container = self._context.store.get(self._key)
        return container if container is not None and container["metadata"]["uid"] == self._uid else self._first

    def _run(self) -> None:
        if self._schedule():
            limit = self._start_deadline()
            self._write_status()
            self._stop_requested.wait(self._context.pace)
            if self._run_init_containers():
                self._run_all()
            self._write_status()
            limit.cancel()
        self._stop_requested.wait()
        self._clean_up()

    def _run_init_containers(self) -> bool:
        """Run the init containers in order; whether all succeeded. https://kubernetes.io/docs/concepts/workloads/pods/init-containers/"""
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

    def _start_deadline(self) -> threading.Timer:
        """Start the timer of `activeDeadlineSeconds`."""
        seconds = self._first["spec"].get("activeDeadlineSeconds")
        timer = threading.Timer(seconds or 0, self._exceed)
        timer.daemon = True
        if seconds:
            timer.start()
        return timer

    def _exceed(self) -> None:
        if self._stop_requested.is_set():
            return
        self._late = True
        self._context.recorder.record(self._now(), NORMAL, "DeadlineExceeded", _TOO_LONG)
        self._write_status()
        self._end(int(self._first["spec"].get("terminationGracePeriodSeconds", 30)))

    def _schedule(self) -> bool:
        """Wait for a node; False if the Pod was stopped meanwhile."""
        store, recorder = self._context.store, self._context.recorder
        if self._context.has_late_nodes:
            recorder.record(self._now(), WARNING, "FailedScheduling", NO_NODE)
            store.edit(self._key, partial(_unschedulable, NO_NODE))
            self._stop_requested.wait(NODE_SECONDS)
        if self._has_late_node:
            self._await_node()
        while not self._stop_requested.is_set():
            with store.changed:  # scheduling is atomic
                version = store.version
                node, why = schedule_pod(store, self._now())
                if node:
                    store.edit(self._key, partial(_bind, node))
            if node:
                name = f"{self._key.namespace}/{self._key.name}"
                recorder.record(self._now(), NORMAL, "Scheduled", f"Successfully assigned {name} to {node}")
                return True
            recorder.record(self._now(), WARNING, "FailedScheduling", why)
            store.edit(self._key, partial(_unschedulable, why))
            store.wait(max(version, store.version), 0.5)
        return False

    def _await_node(self) -> None:
        """Do as an autoscaler that refuses to add a node, and does it a moment later.

        https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md#what-events-are-emitted-by-ca
        """
        store, recorder = self._context.store, self._context.recorder
        recorder.record(self._now(), WARNING, "FailedScheduling", _NO_NODE)
        store.edit(self._key, partial(_unschedulable, _NO_NODE))
        recorder.record(self._now(), NORMAL, "NotTriggerScaleUp", "pod didn't trigger scale-up: ")
        self._stop_requested.wait(_LATE_NODE_SECONDS)
        recorder.record(self._now(), NORMAL, "TriggeredScaleUp", "pod triggered scale-up")

    def _clean_up(self) -> None:
        """Remove the volumes and the Pod object after all containers have exited."""
        self._volumes.remove()
        if is_terminating(self._now()):
            self._stop_requested.wait(self._context.pace)
            with self._context.store.changed:
                container = self._context.store.get(self._key)
                if container is not None and container["metadata"]["uid"] == self._uid:
                    self._context.store.remove(self._key)

    def _write_status(self) -> None:
        """Write its status."""
        with self._mutex:
            self._context.store.edit(self._key, self._describe)

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
        is_terminating(pod) or pod["spec"].get("restartPolicy") != "Always"
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


class PodManager:
    """Controller for all Pods of a cluster: starts new Pods and stops terminating ones.

    has_late_nodes: the node of the first Pod comes late.
    """

    def __init__(self, context: NodeContext, *, has_late_nodes: bool = False) -> None:
        self._context = context
        self._has_late_nodes = has_late_nodes
        self._pods: dict[str, RunningPod] = {}
        self._grace_periods: dict[str, int] = {}
        self._mutex = threading.Lock()

    def find(self, uid: str) -> RunningPod | None:
        with self._mutex:
            return self._pods.get(uid)

    def sync(self) -> None:
        there = {each["metadata"]["uid"]: each for each in self._context.store.list(kinds.PODS)}
        for uid, pod in there.items():
            self._sync_pod(uid, pod)
        for uid in [uid for uid in self._pods if uid not in there]:
            with self._mutex:
                gone = self._pods.pop(uid)
            self._grace_periods.pop(uid, None)
            threading.Thread(target=gone.vanish, daemon=True).start()

    def _sync_pod(self, uid: str, pod: Object) -> None:
        running = self.find(uid)
        if running is None:
            running = RunningPod(self._context, pod, has_late_node=self._has_late_nodes)
            self._has_late_nodes = False
            with self._mutex:
                self._pods[uid] = running
            running.thread.start()
        grace = int(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        if is_terminating(pod) and grace < self._grace_periods.get(uid, 1 << 30):
            self._grace_periods[uid] = grace
            running.stop(grace)

    def close(self) -> None:
        """Kill and remove all Pods."""
        with self._mutex:
            every, self._pods = list(self._pods.values()), {}
        threads = [threading.Thread(target=each.vanish, daemon=True) for each in every]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_PATIENCE)
        self._grace_periods.clear()
