"""The cause of a failed rollout: the first one that the reports of ECS, the log or the app prove.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mldeploy.app.causes import (
    About,
    FailureDiagnosis,
    Sign,
    add_log_hint,
    diagnose_exit,
    diagnose_unhealthy,
    match_signs,
)
from mldeploy.app.client import AnswerError, GoldenError, NoAnswer, NoAnswerError
from mldeploy.app.listen_address import CUT, REFUSED, diagnose_unreachable_port, format_wait
from mldeploy.app.log_causes import diagnose_log
from mldeploy.app.verdict import VerdictError, redacted_verdict
from mldeploy.config.settings import Project
from mldeploy.providers.aws.fargate.tasks import Task

_REASONS = (
    Sign(
        r"(?i)limit on the number of vCPUs",
        "the account may not run so many vCPUs on Fargate at once",
        'Have the quota "Fargate On-Demand vCPU resource count" (L-3032A538) raised in Service Quotas, or run fewer or '
        "smaller tasks: `instances`, `cpu` in [target.fargate]. A new version needs room beside the old one.",
    ),
    Sign(
        r"(?i)descriptor matching platform '?(?P<platform>[\w/]+)'?",
        "the image cannot be pulled: it is not for the processor of the tasks, {platform}",
        "Set `platform` in [build] of mldeploy.toml, and deploy again.",
    ),
    Sign(
        r"(?i)CannotPull\w*: .*(?:not found|does not exist|manifest unknown)",
        "the image cannot be pulled: it is not in the repository any more",
        "Deploy again: it is pushed anew. A lifecycle rule, or a person, has removed it.",
    ),
    Sign(
        r"(?i)CannotPull\w*: .*(?:AccessDenied|not authorized|denied|no basic auth|unauthorized|403)",
        "the image cannot be pulled: the execution role may not",
        "Deploy again: the role's policy is mended. If it stays, a policy of the organization or of the repository "
        "forbids it.",
    ),
    Sign(
        r"(?i)ResourceInitializationError: .*not authorized to perform: (?P<action>[\w:]+)",
        "the task's execution role has no permission for {action}",
        "Deploy again: the role's policy is mended. If it stays, the organization's policies, or that of the resource, "
        "forbid it.",
    ),
    Sign(
        r"(?i)(?:CannotPull\w*|ResourceInitializationError): .*"
        r"(?:time-?out|timed out|deadline exceeded|dial tcp|canceled|connection issue)",
        "the task cannot reach AWS from its subnet",
        "It needs a subnet with a route to an internet gateway (or a NAT gateway, or VPC endpoints): see `subnets` in "
        "[target.fargate].",
    ),
    Sign(
        r"(?i)ResourceInitializationError: .*(?:retrieve secret|from asm|from ssm|ParameterNotFound)",
        "a secret that the app is given cannot be read",
        "See [target.fargate]: `secrets` (the ARN and its region) and `secrets_kms_keys` (the key that encrypts it).",
    ),
    Sign(
        r"(?i)ResourceInitializationError: .*(?:log group|CreateLogStream|logger)",
        "the log group cannot be written to",
        "Deploy again: it is made anew.",
    ),
    Sign(
        r"(?i)OutOfMemory\w*",
        "out of memory: it was killed at the limit of the task",
        "Raise `memory` in [app].",
        About.MEMORY,
    ),
    Sign(
        r"(?i)CannotPull\w*: (?P<reason>.+)",
        "the image cannot be pulled: {reason}",
        "See the repository in the ECR console.",
    ),
    Sign(
        r"(?i)ResourceInitializationError: (?P<reason>.+)",
        "the task cannot be set up: {reason}",
        "See the AWS console.",
    ),
)
_TRANSIENT = re.compile(
    r"(?i)assume the role|role .*(?:not valid|invalid)|capacity is unavailable|rate exceeded|throttl|internal error|"
    r"timeout waiting for network interface|spot|retrying|limit on the number of vCPUs"
)
PATIENCE_SECONDS = 90.0
"""So long a complaint that may pass by itself is waited out."""
GRACE_SECONDS = 45.0
"""Fargate's own health check takes that long to make up its mind once the app's time to start is over."""
_UNPLACED = re.compile(r"(?i)unable to place a task|failed to launch a task|unable to consistently start tasks")
_HEALTH = re.compile(r"(?i)failed (?:container|elb) health checks|health checks failed")
_START_ERROR = re.compile(r"CannotStartContainerError: (?P<reason>.+)")
NEUTRAL_STOP_CODES = frozenset({"ServiceSchedulerInitiated", "UserInitiated", "SpotInterruption", "TerminationNotice"})
"""Stop codes that say nothing against the app, unless the reason names its health."""


@dataclass(frozen=True)
class TaskEvidence:
    """The evidence of a failure. answer: the error of the health request, None if none was sent.

    log: the end of the task's log. waited: seconds that it ran. complaint: what the load balancer has against it.
    """

    task: Task
    answer: AnswerError | None
    log: tuple[str, ...]
    waited: float
    complaint: str = ""


def proves_failure(task: Task, *, patient: bool) -> bool:
    """Whether what is seen of a task of the new version shows that the version cannot serve.

    patient: what may pass by itself (a role that is not known everywhere yet, no capacity) is not taken as a proof.
    """
    if task.status != "STOPPED" and not task.stop_code:
        return task.health == "UNHEALTHY"
    reason = f"{task.stopped_reason} {task.container_reason}"
    if _HEALTH.search(reason):
        return True
    if task.stop_code in NEUTRAL_STOP_CODES:
        return False
    return not (patient and task.exit_code is None and _TRANSIENT.search(reason))


def is_transient(reason: str) -> bool:
    """Whether what AWS complains of may pass by itself."""
    return bool(_TRANSIENT.search(reason))


def is_about_health(task: Task) -> bool:
    """Whether Fargate or the load balancer reports the task as unhealthy."""
    return task.health == "UNHEALTHY" or bool(_HEALTH.search(f"{task.stopped_reason} {task.container_reason}"))


def is_unplaced(event: str, *, patient: bool) -> bool:
    """Whether an event of the service says that no task can be started at all."""
    return bool(_UNPLACED.search(event)) and not (patient and _TRANSIENT.search(event))


def build_verdict(project: Project, evidence: TaskEvidence) -> VerdictError:
    """Why the version is not let in. No value of the project's environment is in it, should the app have logged one."""
    return redacted_verdict(
        project,
        f"task {evidence.task.id}",
        _diagnose(project, evidence),
        evidence.log,
        exit_status=evidence.task.exit_code,
        without_log="See the AWS console.",
    )


def build_golden_verdict(project: Project, evidence: TaskEvidence) -> VerdictError:
    """The verdict on a version whose answer to the golden row was not the expected one. answer: its error."""
    answer = evidence.answer
    if isinstance(answer, GoldenError):
        diagnosis = FailureDiagnosis(answer.what, answer.todo, About.GOLDEN)
    else:
        todo = "Correct the golden row's path or request, or the app."
        observed = FailureDiagnosis(f"the golden row: {answer.what if answer else 'no answer'}", todo, About.GOLDEN)
        diagnosis = add_log_hint(observed, diagnose_log(evidence.log, project.build.requirements))
    return redacted_verdict(project, f"task {evidence.task.id}", diagnosis, evidence.log)


def unreachable_verdict(url: str, what: str) -> VerdictError:
    """The verdict on a healthy task that cannot be reached from this machine."""
    todo = (
        "Its task is healthy, so something on the way holds it up: the route from the subnet to an internet "
        "gateway, a network ACL, `ingress_cidr`, or a firewall on this side."
    )
    return VerdictError(url, FailureDiagnosis(f"does not answer from here: {what}", todo, About.PORT))


def no_task_verdict(where: str, reason: str) -> VerdictError:
    """The verdict if no task starts. reason: the message of ECS."""
    diagnosis = match_signs(_REASONS, reason) or FailureDiagnosis(
        f"no task can be started: {reason}", "`mldeploy status` says what is there."
    )
    return VerdictError(where, diagnosis)


def _diagnose(project: Project, evidence: TaskEvidence) -> FailureDiagnosis:
    task, log_diagnosis = evidence.task, diagnose_log(evidence.log, project.build.requirements)
    reason = f"{task.container_reason or task.stopped_reason}"
    if diagnosis := match_signs(_REASONS, f"{task.container_reason} {task.stopped_reason}"):
        return diagnosis
    if start_error := _START_ERROR.search(reason):
        todo = "Correct ENTRYPOINT and CMD of the Dockerfile."
        diagnosis = diagnose_log([start_error["reason"]], project.build.requirements)
        return diagnosis or FailureDiagnosis(f"the container cannot be started: {start_error['reason']}", todo)
    if task.exit_code is not None and not _HEALTH.search(reason):
        return diagnose_exit(task.exit_code, log_diagnosis)
    if _HEALTH.search(reason) or task.health == "UNHEALTHY":
        return add_log_hint(_diagnose_health(project, evidence), log_diagnosis)
    if task.stop_code:
        diagnosis = diagnose_log([reason], project.build.requirements)
        return diagnosis or FailureDiagnosis(f"it does not start: {reason or task.stop_code}")
    return add_log_hint(_diagnose_health(project, evidence), log_diagnosis)


def _diagnose_health(project: Project, evidence: TaskEvidence) -> FailureDiagnosis:
    port, path, answer = project.app.port, project.app.health, evidence.answer
    if isinstance(answer, NoAnswerError) and answer.silence in (NoAnswer.REFUSED, NoAnswer.CUT):
        if answer.silence is NoAnswer.REFUSED:
            return diagnose_unreachable_port(port, evidence.log, REFUSED)
        return diagnose_unreachable_port(port, evidence.log, CUT, observed=f"nothing answers on port {port}")
    if answer is None and evidence.complaint:
        return diagnose_unhealthy(
            path, f"the load balancer finds {path} on port {port} unhealthy: {evidence.complaint}"
        )
    if isinstance(answer, NoAnswerError) or answer is None:
        how = answer.what if answer else f"no healthy answer{format_wait('within', evidence.waited)}"
        todo = "Let it answer 200 sooner, or give it longer with `start_timeout` in [check] of mldeploy.toml."
        return FailureDiagnosis(f"{path} on port {port}: {how}", todo, About.HEALTH)
    return diagnose_unhealthy(path, f"{path} {answer.what}")
