"""Container lifecycle in a Pod: image pull, environment, start, probes, exit and restart.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mldeploy.rehearsal.containers.engine import LogListener
from mldeploy.rehearsal.containers.host import (
    ContainerExit,
    ContainerHost,
    ContainerHostError,
    HealthCheck,
    HostContainer,
    LaunchSpec,
)
from mldeploy.rehearsal.kubernetes.control.loop import NORMAL, WARNING, Recorder
from mldeploy.rehearsal.kubernetes.kubelet.container_config import (
    ContainerConfigError,
    LogBuffer,
    Login,
    PullError,
    check_user,
    get_sysctls,
    get_user,
    pull_image,
    resolve_variables,
)
from mldeploy.rehearsal.kubernetes.kubelet.probes import ProbeLoop, run_probe
from mldeploy.rehearsal.kubernetes.kubelet.volumes import MountError, Volumes
from mldeploy.rehearsal.kubernetes.objects.quantities import parse_quantity
from mldeploy.rehearsal.kubernetes.objects.store import Store, now
from mldeploy.rehearsal.kubernetes.objects.types import Object
from mldeploy.rehearsal.record import LABEL

_SHORTEST = 0.2
_BACK_OFF, _LONGEST = 10.0, 300.0
"""Restart back-off in seconds: the initial and the maximum delay; it doubles each time."""
_UNITS, _MEGABYTE = 1024, 2**20


@dataclass(frozen=True)
class NodeContext:
    """Dependencies of all Pods of a cluster. rehearsal: owner of the containers. real: use the container engine.

    folder: holds the volumes on this machine. has_late_nodes: a new Pod has no node at first.
    """

    store: Store
    host: ContainerHost
    recorder: Recorder
    login: Login
    rehearsal: str
    pace: float
    real: bool
    folder: Path
    has_late_nodes: bool = False


@dataclass(frozen=True)
class ContainerStatus:
    """The container status in a Pod's status. state, last: as Kubernetes writes them."""

    state: Object
    last: Object
    ready: bool = False
    started: bool = False
    restarts: int = 0
    image_id: str = ""
    identity: str = ""

    def document(self, container: Object) -> Object:
        return {
            "name": container["name"],
            "image": container["image"],
            "imageID": self.image_id,
            "containerID": f"docker://{self.identity}" if self.identity else "",
            "state": self.state,
            "lastState": self.last,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
        }


class ContainerRun:
    """Runs in the thread that calls `run`. pod: returns the current Pod. changed: called for every new status.

    once: an init container, which must exit before others start.
    """

    def __init__(
        self,
        context: NodeContext,
        specification: Object,
        volumes: Volumes,
        pod: Callable[[], Object],
        changed: Callable[[], None],
        *,
        once: bool = False,
    ) -> None:
        self.specification = specification
        reason = "ContainerCreating" if once or not pod()["spec"].get("initContainers") else "PodInitializing"
        self.status = ContainerStatus({"waiting": {"reason": reason}}, {})
        self.running: HostContainer | None = None
        self.log: LogBuffer | None = None
        self.previous: LogBuffer | None = None
        self._context = context
        self._volumes = volumes
        self._once_only = once
        self._pod = pod
        self._changed = changed
        self._stop_requested = threading.Event()
        """Set when the container must stop."""
        self._grace = 0

    def run(self) -> None:
        """Run and restart the container until it ends for good."""
        tries = 0
        while not self._stop_requested.is_set():
            began = time.monotonic()
            ended = self._run_once()
            if self._stop_requested.is_set() or ended is None:
                break
            if not self._restarts(ended):
                return
            tries = 0 if time.monotonic() - began > 2 * _LONGEST else tries + 1
            self._back_off(tries)
        if "terminated" not in self.status.state:
            self._update_status(state={"terminated": _terminated(ContainerExit(137), "", "")}, ready=False)

    @property
    def is_complete(self) -> bool:
        """Whether it has exited with code 0."""
        ended = self.status.state.get("terminated")
        return ended is not None and ended["exitCode"] == 0

    def stop(self, grace: int) -> None:
        """Stop the container and wait until it has exited. grace: seconds."""
        self._grace = grace
        running = self.running
        if running is not None and not self._stop_requested.is_set():
            self._before_stop(running, grace)
        self._stop_requested.set()
        running = self.running  # one that has just started may not have seen the request
        if running is not None:
            self._record_event(NORMAL, "Killing", f"Stopping container {self.specification['name']}")
            running.stop(grace)

    def _before_stop(self, running: HostContainer, grace: int) -> None:
        hook = (self.specification.get("lifecycle") or {}).get("preStop") or {}
        if seconds := (hook.get("sleep") or {}).get("seconds"):
            if self._context.real:  # fake containers serve no requests
                time.sleep(min(seconds, grace))
        elif hook:
            run_probe(hook, self.specification, running)

    def _run_once(self) -> ContainerExit | None:
        """Run the container once; None if it was stopped before it started."""
        launch = self._prepare_launch()
        if launch is None:
            return None
        try:
            self.running = running = self._context.host.start(launch)
        except ContainerHostError as error:
            self._record_event(WARNING, "Failed", f"Error: {error}")
            self._update_status(state={"waiting": {"reason": "RunContainerError", "message": str(error)}})
            return ContainerExit(128)
        return self._supervise(running)

    def _prepare_launch(self) -> LaunchSpec | None:
        """Wait for image, volumes and configuration; None if the container was stopped meanwhile."""
        tries = 0
        while not self._stop_requested.is_set():
            try:
                return self._launch()
            except PullError as error:
                self._record_event(WARNING, "Failed", str(error))
                self._record_event(WARNING, "Failed", "Error: ErrImagePull")
                self._update_status(state={"waiting": {"reason": "ErrImagePull", "message": str(error)}})
                tries += 1
                self._stop_requested.wait(max(_SHORTEST, self._context.pace))
                image = self.specification["image"]
                back = f'Back-off pulling image "{image}": ErrImagePull: {error}'
                self._record_event(NORMAL, "BackOff", f'Back-off pulling image "{image}"')
                self._record_event(WARNING, "Failed", "Error: ImagePullBackOff")
                self._update_status(state={"waiting": {"reason": "ImagePullBackOff", "message": back}})
            except MountError as error:
                self._record_event(WARNING, "FailedMount", str(error))
                tries += 1
            except ContainerConfigError as error:
                self._record_event(WARNING, "Failed", f"Error: {error}")
                self._update_status(state={"waiting": {"reason": "CreateContainerConfigError", "message": str(error)}})
            self._stop_requested.wait(self._pause(tries))
        return None

    def _launch(self) -> LaunchSpec:
        pod, spec, image = self._pod(), self.specification, self.specification["image"]
        self._record_event(NORMAL, "Pulling", f'Pulling image "{image}"')
        pulled = pull_image(self._context.host, self._context.store, pod, image, self._context.login)
        self._record_event(NORMAL, "Pulled", f'Successfully pulled image "{image}"')
        self.status = replace(self.status, image_id=f"{image.partition('@')[0].partition(':')[0]}@{pulled.digest}")
        context = {**(pod["spec"].get("securityContext") or {}), **(spec.get("securityContext") or {})}
        check_user(context, pulled.user, pod, spec)
        mounted = self._volumes.mount(pod, spec)
        limits = spec["resources"].get("limits") or {}
        return LaunchSpec(
            image=image,
            labels={LABEL: self._context.rehearsal, f"{LABEL}.pod": pod["metadata"]["name"]},
            environment=resolve_variables(self._context.store, pod, spec),
            cpu=int(parse_quantity(limits.get("cpu", 0)) * _UNITS),
            memory=int(parse_quantity(limits.get("memory", 0)) / _MEGABYTE),
            ports=tuple(each["containerPort"] for each in spec.get("ports") or ()),
            command=spec.get("args"),
            entrypoint=spec.get("command"),
            folder=spec.get("workingDir"),
            user=get_user(context),
            read_only=bool(context.get("readOnlyRootFilesystem")),
            health=HealthCheck(("NONE",)),
            writable=mounted.memory,
            sysctls=get_sysctls(pod),
            confined="ALL" in ((context.get("capabilities") or {}).get("drop") or ()),
            mounts=mounted.mounts,
            stdin=bool(spec.get("stdin")),
            tty=bool(spec.get("tty")),
        )

    def _supervise(self, running: HostContainer) -> ContainerExit:
        log, ended = LogBuffer(), threading.Event()
        self.log, began = log, now()
        listener = LogListener(running, log.write)
        self._record_event(NORMAL, "Created", f"Created container: {self.specification['name']}")
        self._record_event(NORMAL, "Started", f"Started container {self.specification['name']}")
        probes = self.specification
        self._update_status(
            state={"running": {"startedAt": began}},
            identity=running.id,
            started="startupProbe" not in probes,
            ready="startupProbe" not in probes and "readinessProbe" not in probes,
        )
        threading.Thread(target=self._probe, args=(running, ended), daemon=True).start()
        if self._stop_requested.is_set():  # stopped meanwhile
            running.stop(self._grace)
        exit_status = running.wait()
        ended.set()
        listener.wait()
        log.close()
        self.running, self.previous = None, log
        self._update_status(
            state={"terminated": _terminated(exit_status, running.id, began)}, ready=False, started=False
        )
        running.remove()
        return exit_status

    def _probe(self, running: HostContainer, ended: threading.Event) -> None:
        startup = self._course("startupProbe", "Startup", running, lambda: self._update_status(started=True))
        if startup is not None and not startup.run(ended, once=True):
            return
        if "readinessProbe" not in self.specification and not ended.is_set():
            self._update_status(ready=True)
        readiness = self._course("readinessProbe", "Readiness", running, lambda: self._update_status(ready=True))
        liveness = self._course("livenessProbe", "Liveness", running, lambda: None)
        for course in filter(None, (readiness, liveness)):
            threading.Thread(target=course.run, args=(ended,), daemon=True).start()

    def _course(
        self, name: str, probe_name: str, running: HostContainer, passed: Callable[[], None]
    ) -> ProbeLoop | None:
        probe, spec = self.specification.get(name), self.specification
        if probe is None:
            return None

        def failed(_: str) -> None:
            if name == "readinessProbe":
                self._update_status(ready=False)
                return
            text = f"Container {spec['name']} failed {probe_name.lower()} probe, will be restarted"
            self._record_event(NORMAL, "Killing", text)
            running.stop(int(self._pod()["spec"].get("terminationGracePeriodSeconds", 30)))

        def unwell(why: str) -> None:
            self._record_event(WARNING, "Unhealthy", f"{probe_name} probe failed: {why}")

        return ProbeLoop(probe, self._context.pace, lambda: run_probe(probe, spec, running), passed, failed, unwell)

    def _restarts(self, ended: ContainerExit) -> bool:
        policy = self._pod()["spec"].get("restartPolicy", "Always")
        always = policy == "Always" and not self._once_only
        return always or (policy != "Never" and ended.code != 0)

    def _back_off(self, tries: int) -> None:
        pod, name = self._pod(), self.specification["name"]
        about = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({pod['metadata']['uid']})"
        seconds = self._pause(tries)
        self._record_event(WARNING, "BackOff", f"Back-off restarting failed container {name} in pod {about}")
        text = f"back-off {int(seconds)}s restarting failed container={name} pod={about}"
        last = self.status.state if "terminated" in self.status.state else self.status.last
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
        self._update_status(state=waiting, last=last, restarts=self.status.restarts + 1, ready=False, started=False)
        self._stop_requested.wait(seconds)

    def _pause(self, tries: int) -> float:
        longer = 2.0 ** max(0, tries - 1)
        return max(_SHORTEST, self._context.pace * min(_BACK_OFF * longer, _LONGEST))

    def _update_status(self, **values: object) -> None:
        before = self.status
        self.status = replace(before, **values)  # type: ignore[arg-type]  # the fields' own types
        if self.status != before:
            self._changed()

    def _record_event(self, kind: str, reason: str, message: str) -> None:
        self._context.recorder.record(self._pod(), kind, reason, message)


def _terminated(ended: ContainerExit, identity: str, began: str) -> Object:
    reason = "OOMKilled" if ended.out_of_memory else "Completed" if ended.code == 0 else "Error"
    made: Object = {"exitCode": ended.code, "reason": reason, "finishedAt": now()}
    return {**made, "startedAt": began, "containerID": f"docker://{identity}"} if identity else made
