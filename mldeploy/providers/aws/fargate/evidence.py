"""What proves why a task cannot serve: how it answers, the end of its log, what the load balancer has against it."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from mldeploy.app.client import AnswerError, AppClient
from mldeploy.config.settings import Project
from mldeploy.core.monitor import Monitor
from mldeploy.providers.aws.errors import error_code
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.logs import log_group_name
from mldeploy.providers.aws.fargate.targets import list_unhealthy_reasons
from mldeploy.providers.aws.fargate.tasks import Task, find_public_ips
from mldeploy.providers.aws.fargate.verdict import TaskEvidence, is_about_health

POLL_SECONDS = 0.5
LOG_SECONDS = 6.0
"""So late the last lines of a task reach its log stream."""
LOG_LINES = 60
ASK_SECONDS = 1.0


@dataclass(frozen=True)
class TaskWitness:
    """Reads the evidence of one app's tasks. purpose: of the target group that only they are in, "" for the service's.

    What is behind the load balancer for such a purpose is not asked at its own address: only that can reach it.
    """

    cloud: FargateCloud
    project: Project
    monitor: Monitor
    purpose: str = ""

    def collect(self, task: Task, answer: AnswerError | None = None, waited: float = 0.0) -> TaskEvidence:
        """answer: how it answered before; None asks it now. waited: seconds that it ran without being healthy."""
        if answer is None and not self.purpose:
            answer = self.probe(task)
        return TaskEvidence(task, answer, self._read_log(task), waited, self._read_health_reason(task))

    def probe(self, task: Task) -> AnswerError | None:
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

    def _read_health_reason(self, task: Task) -> str:
        """What the load balancer has against the new version; only it can ask tasks that are behind it."""
        if not is_about_health(task):
            return ""
        return next(iter(list_unhealthy_reasons(self.cloud, self.project.app.name, self.purpose)), "")

    def _read_log(self, task: Task) -> tuple[str, ...]:
        if not task.started and task.exit_code is None:
            return ()
        lines: tuple[str, ...] = ()
        for _ in self.monitor.attempts(every=POLL_SECONDS, within=LOG_SECONDS):
            before, lines = lines, read_last_lines(self.cloud, self.project.app.name, task, LOG_LINES)
            if lines and lines == before:
                break
        return lines


def read_last_lines(cloud: FargateCloud, app: str, task: Task, limit: int) -> tuple[str, ...]:
    """The end of a task's log; empty if it has none yet, or cannot be read: a verdict must not fail with its log."""
    try:
        response = cloud.logs.get_log_events(
            logGroupName=log_group_name(app), logStreamName=task.stream, limit=limit, startFromHead=False
        )
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if error_code(error) != "ResourceNotFoundException" and status < 500:
            raise
        return ()
    return tuple(event["message"].rstrip("\n") for event in response["events"])
