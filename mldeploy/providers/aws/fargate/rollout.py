"""Watching a rollout until the new version serves, or until it is proven that it will not."""

from __future__ import annotations

from dataclasses import dataclass, field

from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.client import AnswerError, AppClient
from mldeploy.image.running.errors import VerdictError
from mldeploy.providers.aws.fargate.addresses import public_ips
from mldeploy.providers.aws.fargate.answers import passing
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.logs import name_of
from mldeploy.providers.aws.fargate.targets import complaints
from mldeploy.providers.aws.fargate.tasks import ServiceState, Task, service, tasks
from mldeploy.providers.aws.fargate.verdict import (
    Evidence,
    is_about_health,
    proves_failure,
    unplaced,
    verdict,
    without_task,
)

LOOK_EVERY = 0.5
PATIENCE_SECONDS = 90.0
"""So long a complaint that may pass by itself is waited out."""
GRACE_SECONDS = 30.0
"""Fargate's own health check takes that long to make up its mind once the app's time to start is over."""
LOG_SECONDS = 6.0
"""So late the last lines of a task reach its log stream."""
LOG_LINES = 60
ASK_SECONDS = 1.0


@dataclass
class Rollout:
    """One rollout of one app's service. revision: the ARN of the task definition that it brings. limit: seconds."""

    cloud: FargateCloud
    project: Project
    revision: str
    monitor: Monitor
    limit: float
    _ran: dict[str, float] = field(default_factory=dict)
    """When each task was first seen running: the account's clock need not be this machine's."""
    _answers: dict[str, AnswerError | None] = field(default_factory=dict)
    """How each task failed to answer while it ran: one that is found unhealthy is stopped before it can be asked."""

    def watch(self) -> tuple[Task, ...]:
        """Return the healthy tasks of the new version once the old ones are gone.

        Raises VerdictError at the first proven cause; the old tasks go on serving, and ECS's circuit breaker takes the
        service back to them.
        """
        for waited in self.monitor.attempts(every=LOOK_EVERY, within=self.limit):
            state = service(self.cloud, self.app)
            if state is None:
                raise RefusedError(self.app, "its service was deleted while it was rolled out", "Deploy again.")
            mine = self._mine(state)
            self._judge(state, mine, waited)
            healthy = [task for task in mine if task.health == "HEALTHY" and task.status == "RUNNING"]
            self.monitor.progress(Progress("", _told(mine, healthy, state), len(healthy), state.desired))
            arrived = state.is_settled and state.newest.revision == self.revision and state.running == state.desired
            if arrived and len(healthy) == state.desired:
                return tuple(healthy)
        raise self._too_late()

    @property
    def app(self) -> str:
        return self.project.app.name

    def _mine(self, state: ServiceState) -> list[Task]:
        """The new version's tasks, also those that have stopped."""
        if state.newest.revision != self.revision:
            return []
        found = [*tasks(self.cloud, self.app), *tasks(self.cloud, self.app, "STOPPED")]
        return [task for task in found if task.started_by == state.newest.id]

    def _judge(self, state: ServiceState, mine: list[Task], waited: float) -> None:
        patient = waited < PATIENCE_SECONDS
        if state.newest.revision != self.revision:
            self._taken_back(state)
        for task in mine:
            if proves_failure(task, patient=patient):
                raise verdict(self.project, self._evidence(task))
            if task.status == "RUNNING" and task.health == "UNKNOWN" and not state.target_groups:
                self._answers[task.arn] = self._asked(task)
            if task.status == "RUNNING" and task.health != "HEALTHY":
                ran = waited - self._ran.setdefault(task.arn, waited)
                if ran > self.project.check.start_timeout + GRACE_SECONDS:
                    raise verdict(self.project, self._evidence(task, ran))
        for at, said in state.events:
            if not mine and at >= state.newest.created and unplaced(said, patient=patient):
                raise without_task(self.app, said)
        if state.newest.state == "FAILED":
            raise without_task(self.app, state.newest.reason or "ECS gives no reason")

    def _taken_back(self, state: ServiceState) -> None:
        """The circuit breaker was faster than we were, or somebody else deploys."""
        last = [task for task in tasks(self.cloud, self.app, "STOPPED") if task.revision == self.revision]
        for task in last:
            if proves_failure(task, patient=False):
                raise verdict(self.project, self._evidence(task))
        raise without_task(self.app, state.newest.reason or "ECS went back to another revision")

    def _evidence(self, task: Task, waited: float = 0.0) -> Evidence:
        answer = self._answers.get(task.arn) or self._asked(task)
        return Evidence(task, answer, self._log(task), waited, self._complaint(task))

    def _complaint(self, task: Task) -> str:
        """What the load balancer has against the new version; only it can ask tasks that are behind it."""
        if not is_about_health(task):
            return ""
        return next(iter(complaints(self.cloud, self.app)), "")

    def _asked(self, task: Task) -> AnswerError | None:
        """How the app fails to answer; None if it cannot be asked, or answers."""
        ip = public_ips(self.cloud, [task]).get(task.arn) if task.status == "RUNNING" else None
        if not ip:
            return None
        with AppClient(f"http://{ip}:{self.project.app.port}") as client:
            try:
                client.health(self.project.app.health, within=ASK_SECONDS)
            except AnswerError as error:
                return error
        return None

    def _log(self, task: Task) -> tuple[str, ...]:
        if not task.started and task.exit_code is None:
            return ()
        lines: tuple[str, ...] = ()
        for _ in self.monitor.attempts(every=LOOK_EVERY, within=LOG_SECONDS):
            before, lines = lines, last_lines(self.cloud, self.app, task, LOG_LINES)
            if lines and lines == before:
                break
        return lines

    def _too_late(self) -> VerdictError:
        running = tasks(self.cloud, self.app)
        newest = next((task for task in running if task.revision == self.revision), None)
        if newest is not None:
            return verdict(self.project, self._evidence(newest, self.limit))
        return without_task(self.app, f"none was there within {self.limit:.0f} s")


def last_lines(cloud: FargateCloud, app: str, task: Task, limit: int) -> tuple[str, ...]:
    """The end of a task's log; empty if it has none yet."""
    with passing("ResourceNotFoundException"):
        found = cloud.logs.get_log_events(
            logGroupName=name_of(app), logStreamName=task.stream, limit=limit, startFromHead=False
        )
        return tuple(event["message"].rstrip("\n") for event in found["events"])
    return ()


def _told(mine: list[Task], healthy: list[Task], state: ServiceState) -> str:
    if len(healthy) >= state.desired and healthy:
        return "the new version is healthy; the old one finishes its requests"
    states = [task.status.lower() for task in mine if task.status not in ("STOPPED", "RUNNING")]
    if states:
        return f"a task is {states[0]}"
    return "waiting until a task is healthy" if mine else "waiting for a task"
