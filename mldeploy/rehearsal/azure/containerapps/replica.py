"""A replica of a revision: a container that is probed, and restarted when it exits.

Standard: Container Apps, "Health probes"; the states of replicas are those of azure-rest-api-specs, `Replicas_Get`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import requests

from mldeploy.rehearsal.azure.containerapps.context import shorten_limit
from mldeploy.rehearsal.azure.containerapps.log import StreamedLog
from mldeploy.rehearsal.azure.containerapps.template import ContainerProbe, ReplicaPlan
from mldeploy.rehearsal.containers.engine import LogListener
from mldeploy.rehearsal.containers.host import ContainerExit, ContainerHostError, HostContainer

_PAUSE = 0.05
_PROBE_PATIENCE = 5.0
"""Seconds for one probe at least: the machine of a rehearsal may be slow."""
_EARLY_EXITS = 3
"""Exits before the first readiness, after which the container counts as crashing."""
_BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class ReplicaEvents(Protocol):
    """Receives what happens to a replica, as the app's system log shows it."""

    def __call__(self, replica: str, reason: str, message: str) -> None:
        """reason: `ContainerTerminated`."""


@dataclass(frozen=True)
class ReplicaHooks:
    """launch: starts the container of a replica. event: takes system events. changed: its state has changed."""

    launch: Callable[[str], HostContainer]
    event: ReplicaEvents
    changed: Callable[[], None]


class Replica:
    """Runs from its creation until `stop`. in_flight: requests that it is answering; its revision counts them."""

    def __init__(self, name: str, plan: ReplicaPlan, hooks: ReplicaHooks, pace: float) -> None:
        self.name = name
        self.created = time.time()
        self.log = StreamedLog()
        self.in_flight = 0
        self.is_ready = False
        self.has_been_ready = False
        self.restarts = 0
        self.failure = ""
        """Why it does not become ready; empty while it may."""
        self._plan = plan
        self._hooks = hooks
        self._pace = pace
        self._stopped = threading.Event()
        self._container: HostContainer | None = None
        self._exit: ContainerExit | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def url(self, port: int) -> str:
        """The URL of its container at a port, without a path."""
        container = self._container
        return f"http://{container.address}:{port}" if container else ""

    @property
    def container_id(self) -> str:
        container = self._container
        return container.id if container else ""

    @property
    def is_running(self) -> bool:
        """Its container runs."""
        return self._container is not None and self._exit is None

    def stop(self, grace: float) -> None:
        """Stop its container, once it answers no request any more or `grace` is over. Blocks. May be repeated."""
        deadline = time.monotonic() + grace
        while self.in_flight and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        self._stopped.set()
        self.is_ready = False
        container = self._container
        if container is not None:
            if grace:
                container.stop(int(grace))
            container.remove()
        self._thread.join()
        self.log.close()

    def _run(self) -> None:
        early = 0
        while not self._stopped.is_set():
            if self._live_once():
                early = 0
            elif not self._stopped.is_set():
                early += 1
                if early >= _EARLY_EXITS and not self.failure:
                    self._fail("crash")
            if not self._stopped.is_set():
                self.restarts += 1
                self._stopped.wait(_BACK_OFF[min(self.restarts, len(_BACK_OFF)) - 1])

    def _live_once(self) -> bool:
        """Run one container until it exits or fails a probe. Return whether it became ready."""
        try:
            container = self._hooks.launch(self.name)
        except ContainerHostError as error:
            self._hooks.event(self.name, "Error", f"Failed to create container '{self._plan.container}': {error}")
            return False
        ended = threading.Event()
        self._exit, self._container = None, container
        listener = LogListener(container, lambda line: self.log.write(line.decode(errors="replace")))
        threading.Thread(target=self._await_exit, args=(container, listener, ended), daemon=True).start()
        try:
            self._hooks.event(self.name, "ContainerStarted", f"Started container '{self._plan.container}'")
            started = self._await_start(ended)
            if started:
                self._set_ready()
                self._watch(ended)
            return started
        finally:
            self._end(container, ended)

    def _await_exit(self, container: HostContainer, listener: LogListener, ended: threading.Event) -> None:
        exit_ = container.wait()
        listener.wait()
        self._exit = exit_
        ended.set()

    def _end(self, container: HostContainer, ended: threading.Event) -> None:
        self.is_ready = False
        if not self._stopped.is_set() and ended.is_set() and self._exit is not None:
            reason = "OOMKilled" if self._exit.out_of_memory else "ProcessExited"
            what = f"was terminated with exit code '{self._exit.code}' and reason '{reason}'"
            self._hooks.event(self.name, "ContainerTerminated", f"Container '{self._plan.container}' {what}")
        self._hooks.changed()
        container.remove()
        ended.wait()

    def _await_start(self, ended: threading.Event) -> bool:
        """Probe until startup and readiness succeed. False: it has exited, was stopped, or the limit is over."""
        time.sleep(self._pace)
        for name, probe in (("StartUp", self._plan.startup), ("Readiness", self._plan.readiness)):
            deadline = time.monotonic() + shorten_limit(probe.limit, self._pace)
            while not self._succeeds(probe):
                if self._stopped.is_set() or ended.wait(_PAUSE):
                    return False
                if time.monotonic() > deadline:
                    self._hooks.event(self.name, "ProbeFailed", f"Probe of {name} failed with status code: 1")
                    self._fail("probe")
                    return False
        return not ended.is_set() and not self._stopped.is_set()

    def _set_ready(self) -> None:
        self.failure, self.is_ready, self.has_been_ready = "", True, True
        self._hooks.changed()

    def _fail(self, failure: str) -> None:
        self.failure = failure
        self._hooks.changed()

    def _watch(self, ended: threading.Event) -> None:
        """Wait until the container exits, is stopped, or fails its liveness probe."""
        probe, failures = self._plan.liveness, 0
        while not self._stopped.is_set() and not ended.wait(probe.period if probe else None):
            if probe is not None:
                failures = 0 if self._succeeds(probe) else failures + 1
                if failures >= probe.failures:
                    self._hooks.event(self.name, "ProbeFailed", "Probe of Liveness failed with status code: 1")
                    return

    def _succeeds(self, probe: ContainerProbe) -> bool:
        container = self._container
        if container is None or self._exit is not None:
            return False
        patience = max(float(probe.timeout), _PROBE_PATIENCE)
        if not probe.path:
            with suppress(OSError), socket.create_connection((container.address, probe.port), timeout=patience):
                return True
            return False
        with suppress(requests.RequestException), requests.Session() as session:
            session.trust_env = False
            url = f"http://{container.address}:{probe.port}{probe.path}"
            answer = session.get(url, headers=probe.headers, timeout=patience, allow_redirects=False)
            return 200 <= answer.status_code < 400
        return False

    def describe(self, log_stream: str) -> dict[str, Any]:
        """Return the properties of the replica. log_stream: the URL of its log."""
        state = "Running" if self.is_running else "Waiting" if self._exit is None else "Terminated"
        container = {
            "name": self._plan.container,
            "containerId": f"containerd://{self.container_id}",
            "ready": self.is_ready,
            "started": self.is_running,
            "restartCount": self.restarts,
            "runningState": state,
            "runningStateDetails": "",
            "logStreamEndpoint": log_stream,
        }
        return {
            "runningState": "Running" if self.is_ready else "NotRunning",
            "runningStateDetails": "",
            "containers": [container],
            "initContainers": [],
        }
