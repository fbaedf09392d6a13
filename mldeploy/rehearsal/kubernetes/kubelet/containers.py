"""The life of one container of a Pod: image, variables, start, probes, end, and another try.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mldeploy.rehearsal.containers.host import Container, Exit, HealthCheck, Host, HostError, Launch
from mldeploy.rehearsal.containers.listening import Listener
from mldeploy.rehearsal.kubernetes.control.events import NORMAL, WARNING, Recorder
from mldeploy.rehearsal.kubernetes.kubelet.environment import ConfigError, variables
from mldeploy.rehearsal.kubernetes.kubelet.images import Login, PullError, pull
from mldeploy.rehearsal.kubernetes.kubelet.logs import LogBuffer
from mldeploy.rehearsal.kubernetes.kubelet.probes import Course, ask
from mldeploy.rehearsal.kubernetes.kubelet.users import see_to_user, user_of
from mldeploy.rehearsal.kubernetes.kubelet.volumes import MountError, Volumes
from mldeploy.rehearsal.kubernetes.objects.clock import now
from mldeploy.rehearsal.kubernetes.objects.quantities import amount
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Object
from mldeploy.rehearsal.place import LABEL

_SHORTEST = 0.2
_BACK_OFF, _LONGEST = 10.0, 300.0
"""Seconds before the second try, and before any; each is twice as long as the one before."""
_UNITS, _MEGABYTE = 1024, 2**20


@dataclass(frozen=True)
class Ground:
    """What all Pods of a cluster stand on. rehearsal: whose its containers are. real: they are containers indeed.

    folder: where their volumes are on this machine.
    """

    store: Store
    host: Host
    recorder: Recorder
    login: Login
    rehearsal: str
    pace: float
    real: bool
    folder: Path


@dataclass(frozen=True)
class Status:
    """What a Pod's status says of a container. state, last: as Kubernetes writes them."""

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
    """Lives in the thread that calls `run`. pod: the Pod as it is now. changed: told of every new status.

    once: it is to come to its end, before others begin.
    """

    def __init__(
        self,
        ground: Ground,
        specification: Object,
        volumes: Volumes,
        pod: Callable[[], Object],
        changed: Callable[[], None],
        *,
        once: bool = False,
    ) -> None:
        self.specification = specification
        reason = "ContainerCreating" if once or not pod()["spec"].get("initContainers") else "PodInitializing"
        self.status = Status({"waiting": {"reason": reason}}, {})
        self.running: Container | None = None
        self.log: LogBuffer | None = None
        self.previous: LogBuffer | None = None
        self._ground = ground
        self._volumes = volumes
        self._once_only = once
        self._pod = pod
        self._changed = changed
        self._wanted = threading.Event()
        """Set once it is to end."""
        self._grace = 0

    def run(self) -> None:
        """Until it has ended for good."""
        tries = 0
        while not self._wanted.is_set():
            began = time.monotonic()
            ended = self._once()
            if self._wanted.is_set() or ended is None:
                break
            if not self._is_tried_again(ended):
                return
            tries = 0 if time.monotonic() - began > 2 * _LONGEST else tries + 1
            self._back_off(tries)
        if "terminated" not in self.status.state:
            self._say(state={"terminated": _terminated(Exit(137), "", "")}, ready=False)

    @property
    def is_complete(self) -> bool:
        """It has come to its end, and a good one."""
        ended = self.status.state.get("terminated")
        return ended is not None and ended["exitCode"] == 0

    def stop(self, grace: int) -> None:
        """Ask it to end, and return once it has."""
        self._grace = grace
        running = self.running
        if running is not None and not self._wanted.is_set():
            self._before_stop(running, grace)
        self._wanted.set()
        if running is not None:
            self._tell(NORMAL, "Killing", f"Stopping container {self.specification['name']}")
            running.stop(grace)

    def _before_stop(self, running: Container, grace: int) -> None:
        hook = (self.specification.get("lifecycle") or {}).get("preStop") or {}
        if seconds := (hook.get("sleep") or {}).get("seconds"):
            if self._ground.real:  # on paper there is nobody whose requests could be lost
                time.sleep(min(seconds, grace))
        elif hook:
            ask(hook, self.specification, running)

    def _once(self) -> Exit | None:
        """One life; None if it was to end before it began."""
        launch = self._prepared()
        if launch is None:
            return None
        try:
            self.running = running = self._ground.host.start(launch)
        except HostError as error:
            self._tell(WARNING, "Failed", f"Error: {error}")
            self._say(state={"waiting": {"reason": "RunContainerError", "message": str(error)}})
            return Exit(128)
        return self._live(running)

    def _prepared(self) -> Launch | None:
        """What is to be started, once image and variables are there; None if it is to end before."""
        tries = 0
        while not self._wanted.is_set():
            try:
                return self._launch()
            except PullError as error:
                self._tell(WARNING, "Failed", str(error))
                self._tell(WARNING, "Failed", "Error: ErrImagePull")
                self._say(state={"waiting": {"reason": "ErrImagePull", "message": str(error)}})
                tries += 1
                self._wanted.wait(max(_SHORTEST, self._ground.pace))
                image = self.specification["image"]
                back = f'Back-off pulling image "{image}": ErrImagePull: {error}'
                self._tell(NORMAL, "BackOff", f'Back-off pulling image "{image}"')
                self._tell(WARNING, "Failed", "Error: ImagePullBackOff")
                self._say(state={"waiting": {"reason": "ImagePullBackOff", "message": back}})
            except MountError as error:
                self._tell(WARNING, "FailedMount", str(error))
                tries += 1
            except ConfigError as error:
                self._tell(WARNING, "Failed", f"Error: {error}")
                self._say(state={"waiting": {"reason": "CreateContainerConfigError", "message": str(error)}})
            self._wanted.wait(self._pause(tries))
        return None

    def _launch(self) -> Launch:
        pod, spec, image = self._pod(), self.specification, self.specification["image"]
        self._tell(NORMAL, "Pulling", f'Pulling image "{image}"')
        pulled = pull(self._ground.host, self._ground.store, pod, image, self._ground.login)
        self._tell(NORMAL, "Pulled", f'Successfully pulled image "{image}"')
        self.status = replace(self.status, image_id=f"{image.partition('@')[0].partition(':')[0]}@{pulled.digest}")
        context = {**(pod["spec"].get("securityContext") or {}), **(spec.get("securityContext") or {})}
        see_to_user(context, pulled.user, pod, spec)
        mounted = self._volumes.mounted(pod, spec)
        limits = spec["resources"].get("limits") or {}
        return Launch(
            image=image,
            labels={LABEL: self._ground.rehearsal, f"{LABEL}.pod": pod["metadata"]["name"]},
            environment=variables(self._ground.store, pod, spec),
            cpu=int(amount(limits.get("cpu", 0)) * _UNITS),
            memory=int(amount(limits.get("memory", 0)) / _MEGABYTE),
            ports=tuple(each["containerPort"] for each in spec.get("ports") or ()),
            command=spec.get("args"),
            entrypoint=spec.get("command"),
            folder=spec.get("workingDir"),
            user=user_of(context),
            read_only=bool(context.get("readOnlyRootFilesystem")),
            health=HealthCheck(("NONE",)),
            writable=mounted.memory,
            confined="ALL" in ((context.get("capabilities") or {}).get("drop") or ()),
            mounts=mounted.places,
            stdin=bool(spec.get("stdin")),
            tty=bool(spec.get("tty")),
        )

    def _live(self, running: Container) -> Exit:
        log, ended = LogBuffer(), threading.Event()
        self.log, began = log, now()
        listener = Listener(running, log.write)
        self._tell(NORMAL, "Created", f"Created container: {self.specification['name']}")
        self._tell(NORMAL, "Started", f"Started container {self.specification['name']}")
        probes = self.specification
        self._say(
            state={"running": {"startedAt": began}},
            identity=running.id,
            started="startupProbe" not in probes,
            ready="startupProbe" not in probes and "readinessProbe" not in probes,
        )
        threading.Thread(target=self._probe, args=(running, ended), daemon=True).start()
        if self._wanted.is_set():  # asked between the two
            running.stop(self._grace)
        found = running.wait()
        ended.set()
        listener.wait()
        log.close()
        self.running, self.previous = None, log
        self._say(state={"terminated": _terminated(found, running.id, began)}, ready=False, started=False)
        running.remove()
        return found

    def _probe(self, running: Container, ended: threading.Event) -> None:
        startup = self._course("startupProbe", "Startup", running, lambda: self._say(started=True))
        if startup is not None and not startup.run(ended, once=True):
            return
        if "readinessProbe" not in self.specification and not ended.is_set():
            self._say(ready=True)
        readiness = self._course("readinessProbe", "Readiness", running, lambda: self._say(ready=True))
        liveness = self._course("livenessProbe", "Liveness", running, lambda: None)
        for course in filter(None, (readiness, liveness)):
            threading.Thread(target=course.run, args=(ended,), daemon=True).start()

    def _course(self, name: str, said: str, running: Container, passed: Callable[[], None]) -> Course | None:
        probe, spec = self.specification.get(name), self.specification
        if probe is None:
            return None

        def failed(_: str) -> None:
            if name == "readinessProbe":
                self._say(ready=False)
                return
            text = f"Container {spec['name']} failed {said.lower()} probe, will be restarted"
            self._tell(NORMAL, "Killing", text)
            running.stop(int(self._pod()["spec"].get("terminationGracePeriodSeconds", 30)))

        def unwell(why: str) -> None:
            self._tell(WARNING, "Unhealthy", f"{said} probe failed: {why}")

        return Course(probe, self._ground.pace, lambda: ask(probe, spec, running), passed, failed, unwell)

    def _is_tried_again(self, ended: Exit) -> bool:
        policy = self._pod()["spec"].get("restartPolicy", "Always")
        always = policy == "Always" and not self._once_only
        return always or (policy != "Never" and ended.code != 0)

    def _back_off(self, tries: int) -> None:
        pod, name = self._pod(), self.specification["name"]
        about = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({pod['metadata']['uid']})"
        seconds = self._pause(tries)
        self._tell(WARNING, "BackOff", f"Back-off restarting failed container {name} in pod {about}")
        text = f"back-off {int(seconds)}s restarting failed container={name} pod={about}"
        last = self.status.state if "terminated" in self.status.state else self.status.last
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": text}}
        self._say(state=waiting, last=last, restarts=self.status.restarts + 1, ready=False, started=False)
        self._wanted.wait(seconds)

    def _pause(self, tries: int) -> float:
        longer = 2.0 ** max(0, tries - 1)
        return max(_SHORTEST, self._ground.pace * min(_BACK_OFF * longer, _LONGEST))

    def _say(self, **values: object) -> None:
        before = self.status
        self.status = replace(before, **values)  # type: ignore[arg-type]  # the fields' own types
        if self.status != before:
            self._changed()

    def _tell(self, kind: str, reason: str, message: str) -> None:
        self._ground.recorder.tell(self._pod(), kind, reason, message)


def _terminated(ended: Exit, identity: str, began: str) -> Object:
    reason = "OOMKilled" if ended.out_of_memory else "Completed" if ended.code == 0 else "Error"
    made: Object = {"exitCode": ended.code, "reason": reason, "finishedAt": now()}
    return {**made, "startedAt": began, "containerID": f"docker://{identity}"} if identity else made
