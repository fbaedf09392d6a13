"""Watching a rollout until the new version serves, or until it is proven that it will not."""

from __future__ import annotations

from dataclasses import dataclass, field

from mldeploy.app.client import AnswerError, AppClient
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes
from mldeploy.providers.aws.fargate.logs import log_group_name
from mldeploy.providers.aws.fargate.targets import list_unhealthy_reasons
from mldeploy.providers.aws.fargate.tasks import ServiceState, Task, describe_service, find_public_ips, list_tasks
from mldeploy.providers.aws.fargate.verdict import (
    TaskEvidence,
    build_verdict,
    is_about_health,
    is_unplaced,
    no_task_verdict,
    proves_failure,
)

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 90.0
"""So long a complaint that may pass by itself is waited out."""
GRACE_SECONDS = 30.0
"""Fargate's own health check takes that long to make up its mind once the app's time to start is over."""
LOG_SECONDS = 6.0
"""So late the last lines of a task reach its log stream."""
LOG_LINES = 60
ASK_SECONDS = 1.0


@dataclass
class ServiceRollout:
    """One rollout of one app's service. revision: the ARN of the task definition that it brings. limit: seconds."""

    cloud: FargateCloud
    project: Project
    revision: str
    monitor: Monitor
    limit: float
    _running_since: dict[str, float] = field(default_factory=dict)
    """When each task was first seen running: the account's clock need not be this machine's."""
    _probe_errors: dict[str, AnswerError | None] = field(default_factory=dict)
    """How each task failed to answer while it ran: an unhealthy task is stopped soon, and cannot be probed then."""

    def watch(self) -> tuple[Task, ...]:
        """Return the healthy tasks of the new version once the old ones are gone.

        Raises VerdictError at the first proven cause; the old tasks go on serving, and ECS's circuit breaker takes the
        service back to them.
        """
        for waited in self.monitor.attempts(every=POLL_SECONDS, within=self.limit):
            state = describe_service(self.cloud, self.app)
            if state is None:
                raise RefusedError(self.app, "its service was deleted while it was rolled out", "Deploy again.")
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
        candidates = [*list_tasks(self.cloud, self.app), *list_tasks(self.cloud, self.app, "STOPPED")]
        return [task for task in candidates if task.started_by == state.newest.id]

    def _check_failures(self, state: ServiceState, new_tasks: list[Task], waited: float) -> None:
        patient = waited < PATIENCE_SECONDS
        if state.newest.revision != self.revision:
            self._raise_rolled_back(state)
        for task in new_tasks:
            if proves_failure(task, patient=patient):
                ran = waited - self._running_since.get(task.arn, waited)
                raise build_verdict(self.project, self._collect_evidence(task, ran))
            if task.status == "RUNNING" and task.health == "UNKNOWN" and not state.target_groups:
                self._probe_errors[task.arn] = self._probe_task(task)
            if task.status == "RUNNING" and task.health != "HEALTHY":
                ran = waited - self._running_since.setdefault(task.arn, waited)
                if ran > self.project.check.start_timeout + GRACE_SECONDS:
                    raise build_verdict(self.project, self._collect_evidence(task, ran))
        for created, message in state.events:
            if not new_tasks and created >= state.newest.created and is_unplaced(message, patient=patient):
                raise no_task_verdict(self.app, message)
        if state.newest.state == "FAILED":
            raise no_task_verdict(self.app, state.newest.reason or "ECS gives no reason")

    def _raise_rolled_back(self, state: ServiceState) -> None:
        """The circuit breaker was faster than we were, or somebody else deploys."""
        last = [task for task in list_tasks(self.cloud, self.app, "STOPPED") if task.revision == self.revision]
        for task in last:
            if proves_failure(task, patient=False):
                raise build_verdict(self.project, self._collect_evidence(task))
        raise no_task_verdict(self.app, state.newest.reason or "ECS went back to another revision")

    def _collect_evidence(self, task: Task, waited: float = 0.0) -> TaskEvidence:
        answer = self._probe_errors.get(task.arn) or self._probe_task(task)
        return TaskEvidence(task, answer, self._read_log(task), waited, self._read_health_reason(task))

    def _read_health_reason(self, task: Task) -> str:
        """What the load balancer has against the new version; only it can ask tasks that are behind it."""
        if not is_about_health(task):
            return ""
        return next(iter(list_unhealthy_reasons(self.cloud, self.app)), "")

    def _probe_task(self, task: Task) -> AnswerError | None:
        """How the app fails to answer; None if it is healthy or cannot be reached."""
        ip = find_public_ips(self.cloud, [task]).get(task.arn) if task.status == "RUNNING" else None
        if not ip:
            return None
        with AppClient(f"http://{ip}:{self.project.app.port}") as client:
            try:
                client.health(self.project.app.health, within=ASK_SECONDS)
            except AnswerError as error:
                return error
        return None

    def _read_log(self, task: Task) -> tuple[str, ...]:
        if not task.started and task.exit_code is None:
            return ()
        lines: tuple[str, ...] = ()
        for _ in self.monitor.attempts(every=POLL_SECONDS, within=LOG_SECONDS):
            before, lines = lines, read_last_lines(self.cloud, self.app, task, LOG_LINES)
            if lines and lines == before:
                break
        return lines

    def _build_timeout_verdict(self) -> VerdictError:
        running = list_tasks(self.cloud, self.app)
        newest = next((task for task in running if task.revision == self.revision), None)
        if newest is not None:
            return build_verdict(self.project, self._collect_evidence(newest, self.limit))
        return no_task_verdict(self.app, f"none was there within {self.limit:.0f} s")


def read_last_lines(cloud: FargateCloud, app: str, task: Task, limit: int) -> tuple[str, ...]:
    """The end of a task's log; empty if it has none yet."""
    with ignore_codes("ResourceNotFoundException"):
        response = cloud.logs.get_log_events(
            logGroupName=log_group_name(app), logStreamName=task.stream, limit=limit, startFromHead=False
        )
        return tuple(event["message"].rstrip("\n") for event in response["events"])
    return ()


def _describe_progress(new_tasks: list[Task], healthy: list[Task], state: ServiceState) -> str:
    if len(healthy) >= state.desired and healthy:
        return "the new version is healthy; the old one finishes its requests"
    states = [task.status.lower() for task in new_tasks if task.status not in ("STOPPED", "RUNNING")]
    if states:
        return f"a task is {states[0]}"
    return "waiting until a task is healthy" if new_tasks else "waiting for a task"
