"""Why a rollout cannot succeed: the first cause that is proven, from what ECS, the log and the app itself say.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mldeploy.config.settings import Project
from mldeploy.image.client import AnswerError, Silence, SilentError
from mldeploy.image.running.causes import About, Diagnosis, Sign, from_exit, from_log, listens_on, unhealthy
from mldeploy.image.running.diagnose import redacted
from mldeploy.image.running.errors import VerdictError
from mldeploy.providers.aws.fargate.tasks import Task

SHOWN_LINES = 20

_REASONS = (
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
        "See `secrets` in [target.fargate]: the ARN, its region, and the key that encrypts it.",
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
        r"(?i)CannotPull\w*: (?P<said>.+)",
        "the image cannot be pulled: {said}",
        "See the repository in the ECR console.",
    ),
    Sign(r"(?i)ResourceInitializationError: (?P<said>.+)", "the task cannot be set up: {said}", "See the AWS console."),
)
_TRANSIENT = re.compile(
    r"(?i)assume the role|role .*(?:not valid|invalid)|capacity is unavailable|rate exceeded|throttl|internal error|"
    r"timeout waiting for network interface|spot|retrying"
)
_UNPLACED = re.compile(r"(?i)unable to place a task|failed to launch a task|unable to consistently start tasks")
_HEALTH = re.compile(r"(?i)failed (?:container|elb) health checks|health checks failed")
_UNSTARTED = re.compile(r"CannotStartContainerError: (?P<said>.+)")
_BY_ITSELF = frozenset({"ServiceSchedulerInitiated", "UserInitiated", "SpotInterruption", "TerminationNotice"})
"""Stop codes that say nothing against the app, unless the reason names its health."""


@dataclass(frozen=True)
class Evidence:
    """What was seen of the task that proves it. answer: how the app failed to answer, None if it was not asked.

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
    said = f"{task.stopped_reason} {task.container_reason}"
    if _HEALTH.search(said):
        return True
    if task.stop_code in _BY_ITSELF:
        return False
    return not (patient and task.exit_code is None and _TRANSIENT.search(said))


def is_about_health(task: Task) -> bool:
    """Whether somebody found the task unhealthy: Fargate, or the load balancer."""
    return task.health == "UNHEALTHY" or bool(_HEALTH.search(f"{task.stopped_reason} {task.container_reason}"))


def unplaced(event: str, *, patient: bool) -> bool:
    """Whether an event of the service says that no task can be started at all."""
    return bool(_UNPLACED.search(event)) and not (patient and _TRANSIENT.search(event))


def verdict(project: Project, evidence: Evidence) -> VerdictError:
    """Why the version is not let in. No value of the project's environment is in it, should the app have logged one."""
    found = _diagnosis(project, evidence)
    log = tuple(redacted(line, project) for line in evidence.log[-SHOWN_LINES:])
    todo = found.todo or ("Its log above says more." if log else "See the AWS console.")
    said = replace(found, cause=redacted(found.cause, project), todo=todo)
    return VerdictError(f"task {evidence.task.id}", said, exit_status=evidence.task.exit_code, log=log)


def without_task(where: str, said: str) -> VerdictError:
    """The verdict where not even a task could be started; `said` is what ECS says."""
    found = _from_reason(said) or Diagnosis(f"no task can be started: {said}", "`mldeploy status` says what is there.")
    return VerdictError(where, found)


def _diagnosis(project: Project, evidence: Evidence) -> Diagnosis:
    task, told = evidence.task, from_log(evidence.log, project.build.requirements)
    said = f"{task.container_reason or task.stopped_reason}"
    if found := _from_reason(f"{task.container_reason} {task.stopped_reason}"):
        return found
    if unstarted := _UNSTARTED.search(said):
        todo = "Correct ENTRYPOINT and CMD of the Dockerfile."
        found = from_log([unstarted["said"]], project.build.requirements)
        return found or Diagnosis(f"the container cannot be started: {unstarted['said']}", todo)
    if task.exit_code is not None and not _HEALTH.search(said):
        end = from_exit(task.exit_code)
        return (
            Diagnosis(f"{told.cause} (exit code {task.exit_code})", told.todo or end.todo, told.about) if told else end
        )
    if _HEALTH.search(said) or task.health == "UNHEALTHY":
        return _unhealthy(project, evidence, told)
    if task.stop_code:
        found = from_log([said], project.build.requirements)
        return found or Diagnosis(f"it does not start: {said or task.stop_code}")
    return _unhealthy(project, evidence, told)


def _unhealthy(project: Project, evidence: Evidence, told: Diagnosis | None) -> Diagnosis:
    port, path, answer = project.app.port, project.app.health, evidence.answer
    if told:
        return Diagnosis(f"{path} does not answer; the log says: {told.cause}", told.todo, told.about)
    if isinstance(answer, SilentError) and answer.silence in (Silence.REFUSED, Silence.CUT):
        elsewhere = listens_on(evidence.log)
        but = f", but something listens on {elsewhere}" if elsewhere else ""
        todo = f"Let the server listen on 0.0.0.0:{port} (the variable PORT says {port}), or correct `port` in [app]."
        does = "listens" if answer.silence is Silence.REFUSED else "answers"
        return Diagnosis(f"nothing {does} on port {port}{but}", todo, About.PORT)
    if answer is None and evidence.complaint:
        return unhealthy(path, f"the load balancer finds {path} on port {port} unhealthy: {evidence.complaint}")
    if isinstance(answer, SilentError) or answer is None:
        how = answer.what if answer else f"no healthy answer within {evidence.waited:.0f} s"
        todo = "Let it answer 200 sooner, or give it longer with `start_timeout` in [check] of mldeploy.toml."
        return Diagnosis(f"{path} on port {port}: {how}", todo, About.HEALTH)
    return unhealthy(path, f"{path} {answer.what}")


def _from_reason(said: str) -> Diagnosis | None:
    for sign in _REASONS:
        if match := re.search(sign.pattern, said):
            return Diagnosis(sign.cause.format_map(match.groupdict()), sign.todo, sign.about)
    return None
