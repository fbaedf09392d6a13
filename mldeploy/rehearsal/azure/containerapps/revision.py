"""A revision: an immutable template and its replicas, which come and go with the requests.

Standard: Container Apps, "Update and deploy changes", "Set scaling rules".
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mldeploy.rehearsal.azure.containerapps.context import shorten_limit
from mldeploy.rehearsal.azure.containerapps.replica import Replica, ReplicaEvents, ReplicaHooks
from mldeploy.rehearsal.azure.containerapps.template import ReplicaPlan
from mldeploy.rehearsal.azure.sites.front_end import SiteAddress
from mldeploy.rehearsal.containers.host import HostContainer

_INGRESS_LIMIT = 240.0
"""Seconds that a request may take. Standard: Container Apps, "Ingress": request time-out."""
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' alphabet for generated names: no vowels, so no words."""


@dataclass(frozen=True)
class RevisionHooks:
    """launch: starts a container, by the replica's name. event: takes system events. ready: called when it is ready.

    is_harsh: whether the states are those that are met beside the API's own.
    """

    launch: Callable[[str], HostContainer]
    event: ReplicaEvents
    ready: Callable[[], None]
    is_harsh: Callable[[], bool]


@dataclass(frozen=True)
class RevisionState:
    """What the API says of a revision. details: why it is in that state."""

    provisioning: str
    running: str
    health: str
    details: str = ""


class StandInRevision:
    """Active from its creation. name: `APP--SUFFIX`. address: where it answers; its app releases it."""

    def __init__(self, name: str, plan: ReplicaPlan, hooks: RevisionHooks, address: SiteAddress, pace: float) -> None:
        self.name = name
        self.plan = plan
        self.address = address
        self.is_active = True
        self.has_been_ready = False
        self.last_active = time.time()
        self._hooks = hooks
        self._pace = pace
        self._changed = threading.Condition()
        self._replicas: list[Replica] = []
        self._last_request = time.monotonic()
        self._failed_at = -60.0
        self._hash = _generate(10)

    @property
    def replicas(self) -> Sequence[Replica]:
        """The replicas that are not being stopped."""
        with self._changed:
            return tuple(self._replicas)

    @property
    def host(self) -> str:
        """HOST:PORT of its address."""
        return self.address.host

    def start(self) -> None:
        """Start the least number of replicas, and at least one: a new revision proves that it runs."""
        with self._changed:
            self._last_request = time.monotonic()
            self._grow(max(self.plan.least, 1))
        if self.plan.least < self.plan.most:
            threading.Thread(target=self._cool_down, daemon=True).start()

    def activate(self) -> None:
        """Start it again. May be repeated."""
        with self._changed:
            if self.is_active:
                return
            self.is_active, self.last_active = True, time.time()
        self.start()

    def deactivate(self) -> None:
        """Stop all replicas, once they have answered. May be repeated."""
        with self._changed:
            self.is_active = False
            self._changed.notify_all()
        self._shrink(0, self.plan.grace)

    def remove(self) -> None:
        """Stop all replicas at once, and wait for it."""
        with self._changed:
            self.is_active = False
            self._changed.notify_all()
            gone, self._replicas = self._replicas, []
        for each in gone:
            each.stop(0)

    def restart(self) -> None:
        """Replace all replicas: new ones start, and the old ones stop when those are ready."""
        with self._changed:
            old, self._replicas = self._replicas, []
            self._grow(max(len(old), self.plan.least))
        threading.Thread(target=self._stop_all, args=(old, self.plan.grace), daemon=True).start()

    def scale_to(self, count: int) -> None:
        """Stop the replicas beyond a number, once they have answered."""
        self._shrink(count, self.plan.grace)

    def await_decision(self) -> bool:
        """Wait until it has been ready, has failed, or is inactive. Return whether it has been ready."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.has_been_ready or not self.is_active or any(each.failure for each in self._replicas)
            )
            return self.has_been_ready

    def give_back(self, replica: Replica) -> None:
        """End the request that `take` has begun."""
        with self._changed:
            replica.in_flight -= 1
            self._last_request = time.monotonic()
            self._changed.notify_all()

    def take(self) -> Replica | None:
        """Take a ready replica for one request; None if there is none. Call `give_back` after it.

        Starts one if none runs, and waits for it.
        """
        with self._changed:
            self._last_request, self.last_active = time.monotonic(), time.time()
            if self.is_active and not self._replicas and self._is_rested():
                self._grow(max(self.plan.least, 1))
            self._changed.wait_for(self._is_decided, shorten_limit(_INGRESS_LIMIT, self._pace))
            ready = [each for each in self._replicas if each.is_ready]
            if not ready:
                return None
            replica = min(ready, key=lambda each: each.in_flight)
            replica.in_flight += 1
            self._grow_with_load()
            return replica

    def _is_decided(self) -> bool:
        """Whether a request need not wait for a replica that starts."""
        starting = [each for each in self._replicas if not each.failure and not each.has_been_ready]
        return not self.is_active or any(each.is_ready for each in self._replicas) or not starting

    def _is_rested(self) -> bool:
        return time.monotonic() - self._failed_at > max(1.0, 10 * self._pace)

    def _grow_with_load(self) -> None:
        """Start one more replica if the running ones have more requests than their scale rule allows."""
        waiting = sum(each.in_flight for each in self._replicas)
        if waiting > self.plan.concurrency * len(self._replicas) and all(each.is_ready for each in self._replicas):
            self._grow(len(self._replicas) + 1)

    def _grow(self, count: int) -> None:
        while self.is_active and len(self._replicas) < min(count, self.plan.most):
            name = f"{self.name}-{self._hash}-{_generate(5)}"
            hooks = ReplicaHooks(self._hooks.launch, self._hooks.event, self._note)
            self._replicas.append(Replica(name, self.plan, hooks, self._pace))

    def _shrink(self, count: int, grace: float) -> None:
        with self._changed:
            gone, self._replicas = self._replicas[count:], self._replicas[:count]
        threading.Thread(target=self._stop_all, args=(gone, grace), daemon=True).start()

    @staticmethod
    def _stop_all(replicas: Sequence[Replica], grace: float) -> None:
        for each in replicas:
            each.stop(grace)

    def _cool_down(self) -> None:
        """Scale down after each time without requests, until the revision is inactive."""
        period = self.plan.cooldown
        with self._changed:
            while self.is_active:
                left = self._last_request + period - time.monotonic()
                idle = not any(each.in_flight for each in self._replicas)
                if left <= 0 and idle:
                    if len(self._replicas) > self.plan.least and not self._is_activating():
                        self._shrink(self.plan.least, self.plan.grace)
                    left = float(period)
                self._changed.wait(max(left, 1.0))

    def _is_activating(self) -> bool:
        return any(not each.has_been_ready and not each.failure for each in self._replicas)

    def _note(self) -> None:
        """A replica has changed."""
        with self._changed:
            first = not self.has_been_ready and any(each.is_ready for each in self._replicas)
            self.has_been_ready = self.has_been_ready or first
            if any(each.failure for each in self._replicas):
                self._failed_at = time.monotonic()
            self._changed.notify_all()
        if first:
            self._hooks.ready()

    def describe_state(self) -> RevisionState:
        """Return its states. Standard: azure-rest-api-specs, `RevisionRunningState`, `RevisionHealthState`."""
        with self._changed:
            replicas, ready = len(self._replicas), sum(each.is_ready for each in self._replicas)
            failures = [each.failure for each in self._replicas if each.failure]
            if not self.is_active:
                return RevisionState("Deprovisioned", "Stopped", "None")
            if failures and not ready:
                return self._describe_failure(replicas, failures)
            if failures or any(each.has_been_ready and not each.is_ready for each in self._replicas):
                return RevisionState("Provisioned", "Degraded" if ready else "Processing", "Unhealthy")
            if replicas and not ready:
                return RevisionState("Provisioning", "Activating", "None")
            if not replicas:
                return RevisionState("Provisioned", "ScaledToZero", "Healthy")
            state = "RunningAtMaxScale" if replicas >= self.plan.most else "Running"
            return RevisionState("Provisioned", state, "Healthy")

    def _describe_failure(self, replicas: int, failures: Sequence[str]) -> RevisionState:
        """The texts are those that users of Container Apps have published (`runningStateDetails`)."""
        details = f"Deployment Progress Deadline Exceeded. 0/{replicas} replicas ready."
        crashing = failures.count("crash")
        if crashing:
            details = f"{details} {crashing}/{replicas} Container crashing: {self.plan.container}"
        state = "ActivationFailed" if self._hooks.is_harsh() else "Failed"
        return RevisionState("Failed", state, "Unhealthy", details)


def _generate(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
