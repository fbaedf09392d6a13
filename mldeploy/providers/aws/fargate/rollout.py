"""Watching a rollout until the new version serves, or until it is proven that it will not."""

from __future__ import annotations

from dataclasses import dataclass, field

from mldeploy.app.client import AnswerError
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.evidence import TaskWitness
from mldeploy.providers.aws.fargate.tasks import DesiredStatus, ServiceState, Task, describe_service, list_tasks
from mldeploy.providers.aws.fargate.verdict import (
    GRACE_SECONDS,
    PATIENCE_SECONDS,
    TaskEvidence,
    build_verdict,
    is_unplaced,
    no_task_verdict,
    proves_failure,
)

POLL_SECONDS = 0.5
MISSING_SECONDS = 30.0
"""So long DescribeServices may not know a service that was created a moment ago."""


@dataclass
class ServiceRollout:
    """One rollout of one app's service. revision: the ARN of the task definition that it brings. limit: seconds.

    purpose: of the service, "" for the one that serves.
    """

    cloud: FargateCloud
    project: Project
    revision: str
    monitor: Monitor
    limit: float
    purpose: str = ""
    _known_tasks: frozenset[str] = frozenset()
    _known_events: frozenset[tuple[str, str]] = frozenset()
    """What was there before the order. It says nothing about what the order brings."""
    _running_since: dict[str, float] = field(default_factory=dict)
    """When each task was first seen running: the account's clock need not be this machine's."""
    _probe_errors: dict[str, AnswerError | None] = field(default_factory=dict)
    """How each task failed to answer while it ran: an unhealthy task is stopped soon, and cannot be probed then."""

    def disregard_the_past(self) -> None:
        """Call it right before the order: tasks and events that are there by now are not held against the rollout.

        A task that has crashed stays in ECS's lists for an hour, and its deployment is still the service's.
        """
        state = describe_service(self.cloud, self.app, self.purpose)
        tasks = self._list_all_tasks() if state else ()
        self._known_tasks = frozenset(task.arn for task in tasks)
        self._known_events = frozenset(state.events) if state else frozenset()

    def watch(self) -> tuple[Task, ...]:
        """Return the healthy tasks of the new version once the old ones are gone.

        Raises VerdictError at the first proven cause; the old tasks go on serving, and ECS's circuit breaker takes the
        service back to them.
        """
        missing_since: float | None = None
        for waited in self.monitor.attempts(every=POLL_SECONDS, within=self.limit):
            state = describe_service(self.cloud, self.app, self.purpose)
            if state is None:
                missing_since = waited if missing_since is None else missing_since
                if waited - missing_since < MISSING_SECONDS:
                    continue
                raise RefusedError(self.app, "its service was deleted while it was rolled out", "Deploy again.")
            missing_since = None
            new_tasks = self._list_new_tasks(state)
            self._check_failures(state, new_tasks, waited)
            healthy = [task for task in new_tasks if task.health == "HEALTHY" and task.status == "RUNNING"]
            self.monitor.progress(
                Progress("", _describe_progress(new_tasks, healthy, state), len(healthy), state.desired)
            )
            arrived = state.is_settled and state.newest.revision == self.revision and state.running == state.desired
            if arrived and len(healthy) == state.desired:
                return tuple(healthy)
        raise self._build_timeout_verdict()

    @property
    def app(self) -> str:
        return self.project.app.name

    def _list_new_tasks(self, state: ServiceState) -> list[Task]:
        """The new version's tasks, also those that have stopped."""
        if state.newest.revision != self.revision:
            return []
        return [task for task in self._list_all_tasks() if task.started_by == state.newest.id]

    def _list_all_tasks(self) -> tuple[Task, ...]:
        return (*self._list_tasks("RUNNING"), *self._list_tasks("STOPPED"))

    def _list_tasks(self, status: DesiredStatus) -> tuple[Task, ...]:
        return list_tasks(self.cloud, self.app, status, self.purpose)

    def _check_failures(self, state: ServiceState, new_tasks: list[Task], waited: float) -> None:
        patient = waited < PATIENCE_SECONDS
        if state.newest.revision != self.revision:
            self._raise_rolled_back(state)
        ordered = [task for task in new_tasks if task.arn not in self._known_tasks]
        for task in ordered:
            if proves_failure(task, patient=patient):
                ran = waited - self._running_since.get(task.arn, waited)
                raise build_verdict(self.project, self._collect(task, ran))
            if task.status == "RUNNING" and task.health == "UNKNOWN" and not state.target_groups:
                self._probe_errors[task.arn] = self._witness.probe(task)
            if task.status == "RUNNING" and task.health != "HEALTHY":
                ran = waited - self._running_since.setdefault(task.arn, waited)
                if ran > self.project.check.start_timeout + GRACE_SECONDS:
                    raise build_verdict(self.project, self._collect(task, ran))
        for created, message in state.events:
            is_new = (created, message) not in self._known_events and created >= state.newest.created
            if not ordered and is_new and is_unplaced(message, patient=patient):
                raise no_task_verdict(self.app, message)
        if state.newest.state == "FAILED":
            raise no_task_verdict(self.app, state.newest.reason or "ECS gives no reason")

    def _raise_rolled_back(self, state: ServiceState) -> None:
        """The circuit breaker was faster than we were, or somebody else deploys."""
        last = [task for task in self._list_tasks("STOPPED") if task.revision == self.revision]
        for task in last:
            if task.arn not in self._known_tasks and proves_failure(task, patient=False):
                raise build_verdict(self.project, self._collect(task))
        raise no_task_verdict(self.app, state.newest.reason or "ECS went back to another revision")

    @property
    def _witness(self) -> TaskWitness:
        return TaskWitness(self.cloud, self.project, self.monitor, self.purpose)

    def _collect(self, task: Task, ran: float = 0.0) -> TaskEvidence:
        return self._witness.collect(task, self._probe_errors.get(task.arn), ran)

    def _build_timeout_verdict(self) -> VerdictError:
        running = self._list_tasks("RUNNING")
        newest = next((task for task in running if task.revision == self.revision), None)
        if newest is not None:
            return build_verdict(self.project, self._collect(newest, self.limit))
        return no_task_verdict(self.app, f"none was there within {self.limit:.0f} s")


def _describe_progress(new_tasks: list[Task], healthy: list[Task], state: ServiceState) -> str:
    if len(healthy) >= state.desired and healthy:
        replaces = len(state.deployments) > 1
        return "the new tasks are healthy; the old ones finish their requests" if replaces else "the tasks are healthy"
    states = [task.status.lower() for task in new_tasks if task.status not in ("STOPPED", "RUNNING")]
    if states:
        return f"a task is {states[0]}"
    return "waiting until a task is healthy" if new_tasks else "waiting for a task"
