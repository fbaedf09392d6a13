"""A service with its revisions and its routes."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from google.cloud import run_v2 as run

from mldeploy.rehearsal.gcp.errors import ApiError, Code
from mldeploy.rehearsal.gcp.policies import ResourcePolicy
from mldeploy.rehearsal.gcp.run.front_end import DOMAIN, RunAddresses
from mldeploy.rehearsal.gcp.run.instances import InstanceLimits, RevisionInstances
from mldeploy.rehearsal.gcp.run.launcher import STOP_SECONDS, RevisionLauncher, RunContext
from mldeploy.rehearsal.gcp.run.messages import CommonReason, RevisionReason, RevisionStartError
from mldeploy.rehearsal.gcp.run.template import Traffic, now, timeout_seconds

State = run.Condition.State
CONDITIONS = ("ResourcesAvailable", "ContainerReady", "ContainerHealthy", "MinInstancesProvisioned", "Active")
"""Of a revision, in the order in which they are fulfilled."""


@dataclass(eq=False)
class StoredRevision:
    """A revision. start_seconds: how long its first container took."""

    revision: run.Revision
    launcher: RevisionLauncher
    instances: RevisionInstances
    is_ready: bool = False

    @classmethod
    def of(cls, context: RunContext, revision: run.Revision) -> StoredRevision:
        launcher = RevisionLauncher(context, revision)
        limits = InstanceLimits(0, revision.scaling.max_instance_count, revision.max_instance_request_concurrency)
        stored = cls(revision, launcher, RevisionInstances(launcher, limits))
        stored.set_conditions({})
        return stored

    @property
    def name(self) -> str:
        return str(self.launcher.name)

    @property
    def seconds(self) -> float:
        return float(timeout_seconds(self.revision))

    def succeed(self, texts: Mapping[str, str]) -> None:
        """It can serve. texts: messages by condition."""
        self.is_ready = True
        self.set_conditions({kind: (State.CONDITION_SUCCEEDED, texts.get(kind, "")) for kind in ("Ready", *CONDITIONS)})

    def fail(self, error: RevisionStartError) -> None:
        """It cannot serve. The conditions before the failed one are fulfilled."""
        at = CONDITIONS.index(error.condition)
        states = dict.fromkeys(CONDITIONS[:at], (State.CONDITION_SUCCEEDED, ""))
        failed = (State.CONDITION_FAILED, error.message)
        self.set_conditions({**states, error.condition: failed, "Ready": failed})
        for each in self.revision.conditions:
            if each.state == State.CONDITION_FAILED and error.revision_reason:
                each.revision_reason = RevisionReason(error.revision_reason)
            elif each.state == State.CONDITION_FAILED:
                each.reason = CommonReason(error.reason)

    def set_conditions(self, states: Mapping[str, tuple[int, str]]) -> None:
        """Set all conditions; those without a state are pending."""
        pending = (State.CONDITION_RECONCILING, "")
        self.revision.conditions = [make_condition(kind, *states.get(kind, pending)) for kind in ("Ready", *CONDITIONS)]
        self.revision.reconciling = not states
        self.revision.observed_generation = 1 if states else 0


@dataclass(eq=False)
class StoredService:
    """A service. template: of the newest revision, without its name. number: of revisions so far.

    routes: percentages by revision. tagged: revisions by tag. hosts: HOST:PORT by tag; "": of the service itself.
    """

    service: run.Service
    addresses: RunAddresses
    policy: ResourcePolicy = field(default_factory=ResourcePolicy)
    revisions: dict[str, StoredRevision] = field(default_factory=dict)
    template: run.RevisionTemplate = field(default_factory=run.RevisionTemplate)
    number: int = 0
    routes: dict[str, int] = field(default_factory=dict)
    tagged: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)
    is_going: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def id(self) -> str:
        return str(self.service.name.rpartition("/")[2])

    def open(self, project_number: str) -> None:
        """Give it its address."""
        self.hosts[""] = self.addresses.take()
        self.service.uri = f"https://{self.hosts['']}"
        self.service.urls = [self.service.uri, f"https://{self.id}-{project_number}.{DOMAIN}"]

    def close(self, seconds: int = STOP_SECONDS) -> None:
        """End all instances, and give the addresses back. seconds: between SIGTERM and SIGKILL."""
        with self.lock:
            self.is_going = True
            hosts, self.hosts, self.routes, self.tagged = self.hosts, {}, {}, {}
        for each in list(self.revisions.values()):
            each.instances.close(seconds)
        for host in hosts.values():
            self.addresses.give_back(host)

    def route(self) -> None:
        """Send the traffic where the service says. Raises ApiError if it cannot; then nothing changes."""
        targets = [(each, self._resolve(each)) for each in self.service.traffic]
        routes: dict[str, int] = {}
        for target, revision in targets:
            routes[revision.name] = routes.get(revision.name, 0) + target.percent
        self.routes = {name: percent for name, percent in routes.items() if percent}
        self.tagged = {target.tag: revision.name for target, revision in targets if target.tag}
        self._update_hosts()
        self.service.traffic_statuses = [
            run.TrafficTargetStatus(
                type_=target.type_,
                revision=revision.name if target.revision else "",
                percent=target.percent,
                tag=target.tag,
                uri=f"https://{self.hosts[target.tag]}" if target.tag else "",
            )
            for target, revision in targets
        ]
        self.apply_scaling()

    def _resolve(self, target: run.TrafficTarget) -> StoredRevision:
        """The messages: https://github.com/knative/serving/blob/main/pkg/apis/serving/v1/route_lifecycle.go"""
        is_latest = target.type_ == Traffic.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
        name = self.service.latest_ready_revision.rpartition("/")[2] if is_latest else target.revision
        if name not in self.revisions:
            what = f'Revision "{name}" referenced in traffic not found.'
            raise ApiError(Code.FAILED_PRECONDITION, what)
        if not self.revisions[name].is_ready:
            raise ApiError(Code.FAILED_PRECONDITION, f'Revision "{name}" failed to become ready.')
        return self.revisions[name]

    def _update_hosts(self) -> None:
        for tag in set(self.tagged) - set(self.hosts):
            self.hosts[tag] = self.addresses.take()
        for tag in set(self.hosts) - set(self.tagged) - {""}:
            self.addresses.give_back(self.hosts.pop(tag))

    def apply_scaling(self) -> None:
        """Tell each revision how many instances it has. https://cloud.google.com/run/docs/configuring/min-instances"""
        for name, stored in self.revisions.items():
            if stored.is_ready:
                stored.instances.set_limits(*self._limits(name, stored.revision.scaling))

    def _limits(self, name: str, scaling: run.RevisionScaling) -> tuple[int, int]:
        percent, overall = self.routes.get(name, 0), self.service.scaling
        is_used = percent > 0 or name in self.tagged.values()
        if overall.scaling_mode == run.ServiceScaling.ScalingMode.MANUAL:
            count = math.ceil(overall.manual_instance_count * percent / 100)
            return count, count if percent or not overall.manual_instance_count else scaling.max_instance_count
        most = min(scaling.max_instance_count, overall.max_instance_count or scaling.max_instance_count)
        share = math.ceil(overall.min_instance_count * percent / 100)
        return min(most, max(share, scaling.min_instance_count if is_used else 0)), most

    def unused(self) -> Iterator[StoredRevision]:
        """The revisions that get no requests and are not the latest one, the oldest first."""
        latest = self.service.latest_created_revision.rpartition("/")[2]
        for name, stored in list(self.revisions.items()):
            if name != latest and name not in self.routes and name not in self.tagged.values():
                yield stored

    def set_conditions(self, error: ApiError | None, *, is_route: bool = False) -> None:
        """Set the conditions after a change. error: why it failed. is_route: by its traffic, not by its revision."""
        state, text = (State.CONDITION_SUCCEEDED, "") if error is None else (State.CONDITION_FAILED, error.message)
        good = (State.CONDITION_SUCCEEDED, "")
        service = self.service
        service.terminal_condition = make_condition("Ready", state, text)
        service.conditions = [
            make_condition("RoutesReady", *((state, text) if is_route else good)),
            make_condition("ConfigurationsReady", *(good if is_route else (state, text))),
        ]
        if error is not None and not is_route:
            service.terminal_condition.reason = CommonReason(CommonReason.REVISION_FAILED)
        service.reconciling, service.observed_generation = False, service.generation

    def set_reconciling(self) -> None:
        """A change has begun."""
        service, state = self.service, State.CONDITION_RECONCILING
        service.terminal_condition = make_condition("Ready", state, "")
        service.conditions = [make_condition(kind, state, "") for kind in ("RoutesReady", "ConfigurationsReady")]
        service.reconciling = True


def make_condition(kind: str, state: int, message: str) -> run.Condition:
    """A condition that has changed now."""
    return run.Condition(type_=kind, state=state, message=message, last_transition_time=now())
