"""What a stopped task says becomes one cause and one thing to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mldeploy.config import load
from mldeploy.config.secret import Secret
from mldeploy.image.client import AnswerError, Silence, SilentError
from mldeploy.providers.aws.fargate.tasks import Task
from mldeploy.providers.aws.fargate.verdict import Evidence, proves_failure, unplaced, verdict

PROJECT = load.named("paper", "a test")
STOPPED = Task("arn:task/paper/0123", "rev:2", "ecs-svc/1", "paper@sha256:1", "STOPPED", "UNKNOWN", "", "", "")
RUNNING = replace(STOPPED, status="RUNNING", health="UNHEALTHY")
NO_AUTH = "ResourceInitializationError: unable to pull secrets or registry auth: "


def failed(reason: str) -> Task:
    return replace(STOPPED, stop_code="TaskFailedToStart", stopped_reason=reason)


def ended(code: int, reason: str = "") -> Task:
    said = "Essential container in task exited"
    return replace(
        STOPPED, stop_code="EssentialContainerExited", stopped_reason=said, exit_code=code, container_reason=reason
    )


@pytest.mark.parametrize(
    ("task", "log", "cause"),
    [
        (failed("CannotPullContainerError: ref x@sha256:1: not found"), (), "it is not in the repository any more"),
        (failed("CannotPullContainerError: 403 Forbidden"), (), "the execution role may not"),
        (
            failed(
                "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'"
            ),
            (),
            "not for the processor of the tasks, linux/amd64",
        ),
        (failed("CannotPullContainerError: dial tcp 10.0.0.1:443: i/o timeout"), (), "cannot reach AWS"),
        (
            failed(f"{NO_AUTH}AccessDeniedException: not authorized to perform: ecr:GetAuthorizationToken because"),
            (),
            "no permission for ecr:GetAuthorizationToken",
        ),
        (failed(f"{NO_AUTH}There is a connection issue between the task and Amazon ECR."), (), "cannot reach AWS"),
        (failed(f"{NO_AUTH}unable to retrieve secret from asm: none"), (), "a secret that the app is given"),
        (failed("CannotStartContainerError: exec format error"), (), "built for another processor"),
        (failed("CannotStartContainerError: No command specified"), (), "cannot be started: No command specified"),
        (ended(137, "OutOfMemoryError: Container killed due to memory usage"), (), "out of memory"),
        (ended(1), ("ModuleNotFoundError: No module named 'pandas'",), "the module pandas is not in the image"),
        (ended(255), ("exec /app: exec format error",), "built for another processor"),
        (ended(3), (), "workers did not start (exit code 3)"),
    ],
)
def test_a_cause_is_found(task: Task, log: tuple[str, ...], cause: str) -> None:
    assert proves_failure(task, patient=True)
    said = verdict(PROJECT, Evidence(task, None, log, 1.0))
    assert cause in said.cause
    assert said.todo
    assert said.exit_status == task.exit_code


@pytest.mark.parametrize(
    ("answer", "log", "cause"),
    [
        (SilentError("http://1.2.3.4:5000/health", Silence.REFUSED), (), "nothing listens on port 5000"),
        (
            SilentError("http://1.2.3.4:5000/health", Silence.REFUSED),
            ("[INFO] Listening at: http://0.0.0.0:8000 (7)",),
            "nothing listens on port 5000, but something listens on 0.0.0.0:8000",
        ),
        (AnswerError("http://1.2.3.4:5000/health", "answers 500", status=500), (), "/health answers 500"),
        (None, (), "/health on port 5000: no healthy answer within 9 s"),
    ],
)
def test_an_unhealthy_task_says_how(answer: AnswerError | None, log: tuple[str, ...], cause: str) -> None:
    assert proves_failure(RUNNING, patient=True)
    assert verdict(PROJECT, Evidence(RUNNING, answer, log, 9.0)).cause == cause


def test_the_load_balancers_complaint_is_told() -> None:
    said = "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:x)"
    task = replace(STOPPED, stop_code="ServiceSchedulerInitiated", stopped_reason=said)
    evidence = Evidence(task, None, (), 9.0, "Health checks failed with these codes: [404]")
    assert "[404]" in verdict(PROJECT, evidence).cause


def test_what_may_pass_is_waited_out_first() -> None:
    young = failed("ECS was unable to assume the role 'arn:aws:iam::1:role/x' that was provided for this task.")
    assert not proves_failure(young, patient=True)
    assert proves_failure(young, patient=False)
    event = "(service paper) failed to launch a task with (error ECS was unable to assume the role 'x')."
    assert not unplaced(event, patient=True)
    assert unplaced(event, patient=False)
    assert not unplaced("(service paper) has started 1 tasks: (task 1).", patient=False)


@pytest.mark.parametrize("code", ["ServiceSchedulerInitiated", "UserInitiated", "SpotInterruption"])
def test_a_task_that_was_told_to_stop_proves_nothing(code: str) -> None:
    assert not proves_failure(replace(STOPPED, stop_code=code, exit_code=143), patient=False)


def test_no_value_of_a_variable_is_told() -> None:
    project = replace(PROJECT, app=replace(PROJECT.app, env=(("TOKEN", Secret("s3cr3t-value")),)))
    said = str(verdict(project, Evidence(ended(1), None, ("ValueError: s3cr3t-value",), 1.0)))
    assert "[REDACTED]" in said
    assert "s3cr3t" not in said
