"""What a stopped task says becomes one cause and one thing to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mldeploy.app.client import AnswerError, NoAnswer, NoAnswerError
from mldeploy.config import load
from mldeploy.config.secret import Secret
from mldeploy.providers.aws.fargate.tasks import Task
from mldeploy.providers.aws.fargate.verdict import (
    TaskEvidence,
    build_verdict,
    is_unplaced,
    no_task_verdict,
    proves_failure,
)

PROJECT = load.named("paper", "a test")
STOPPED = Task("arn:task/paper/0123", "rev:2", "ecs-svc/1", "paper@sha256:1", "STOPPED", "UNKNOWN", "", "", "")
RUNNING = replace(STOPPED, status="RUNNING", health="UNHEALTHY")
NO_AUTH = "ResourceInitializationError: unable to pull secrets or registry auth: "


def failed(reason: str) -> Task:
    return replace(STOPPED, stop_code="TaskFailedToStart", stopped_reason=reason)


def ended(code: int, reason: str = "") -> Task:
    stopped = "Essential container in task exited"
    return replace(
        STOPPED, stop_code="EssentialContainerExited", stopped_reason=stopped, exit_code=code, container_reason=reason
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
    verdict = build_verdict(PROJECT, TaskEvidence(task, None, log, 1.0))
    assert cause in verdict.cause
    assert verdict.todo
    assert verdict.exit_status == task.exit_code


@pytest.mark.parametrize(
    ("answer", "log", "cause"),
    [
        (NoAnswerError("http://1.2.3.4:5000/health", NoAnswer.REFUSED), (), "nothing listens on port 5000"),
        (
            NoAnswerError("http://1.2.3.4:5000/health", NoAnswer.REFUSED),
            ("[INFO] Listening at: http://0.0.0.0:8000 (7)",),
            "nothing listens on port 5000, but something listens on 0.0.0.0:8000",
        ),
        (
            NoAnswerError("http://1.2.3.4:5000/health", NoAnswer.CUT),
            ("[INFO] Listening at: http://0.0.0.0:5000 (7)",),
            "the log says that it listens on 0.0.0.0:5000, but port 5000 closes connections without an answer",
        ),
        (
            NoAnswerError("http://1.2.3.4:5000/health", NoAnswer.REFUSED),
            (" * Running on http://127.0.0.1:5000",),
            "it listens on 127.0.0.1:5000, which only the container itself can reach",
        ),
        (AnswerError("http://1.2.3.4:5000/health", "answers 500", status=500), (), "/health answers 500"),
        (None, (), "/health on port 5000: no healthy answer within 9 s"),
    ],
)
def test_an_unhealthy_task_says_how(answer: AnswerError | None, log: tuple[str, ...], cause: str) -> None:
    assert proves_failure(RUNNING, patient=True)
    assert build_verdict(PROJECT, TaskEvidence(RUNNING, answer, log, 9.0)).cause == cause


def test_a_verdict_at_the_first_look_names_no_time() -> None:
    verdict = build_verdict(PROJECT, TaskEvidence(RUNNING, None, (), 0.0))
    assert verdict.cause == "/health on port 5000: no healthy answer"


def test_the_load_balancers_complaint_is_told() -> None:
    reason = "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:x)"
    task = replace(STOPPED, stop_code="ServiceSchedulerInitiated", stopped_reason=reason)
    evidence = TaskEvidence(task, None, (), 9.0, "Health checks failed with these codes: [404]")
    assert "[404]" in build_verdict(PROJECT, evidence).cause


def test_what_may_pass_is_waited_out_first() -> None:
    young = failed("ECS was unable to assume the role 'arn:aws:iam::1:role/x' that was provided for this task.")
    assert not proves_failure(young, patient=True)
    assert proves_failure(young, patient=False)
    event = "(service paper) failed to launch a task with (error ECS was unable to assume the role 'x')."
    assert not is_unplaced(event, patient=True)
    assert is_unplaced(event, patient=False)
    assert not is_unplaced("(service paper) has started 1 tasks: (task 1).", patient=False)


def test_a_quota_of_vcpus_is_named_with_where_it_is_raised() -> None:
    """A task that is just stopping still counts, so it is waited out first."""
    event = (
        "(service paper) was unable to place a task. Reason: You've reached the limit on the number of vCPUs you can "
        "run concurrently."
    )
    assert not is_unplaced(event, patient=True)
    assert is_unplaced(event, patient=False)
    verdict = no_task_verdict("paper", event)
    assert "may not run so many vCPUs" in verdict.cause
    assert "L-3032A538" in verdict.todo


@pytest.mark.parametrize("code", ["ServiceSchedulerInitiated", "UserInitiated", "SpotInterruption"])
def test_a_task_that_was_told_to_stop_proves_nothing(code: str) -> None:
    assert not proves_failure(replace(STOPPED, stop_code=code, exit_code=143), patient=False)


def test_no_value_of_a_variable_is_told() -> None:
    project = replace(PROJECT, app=replace(PROJECT.app, env=(("TOKEN", Secret("s3cr3t-value")),)))
    verdict = str(build_verdict(project, TaskEvidence(ended(1), None, ("ValueError: s3cr3t-value",), 1.0)))
    assert "[REDACTED]" in verdict
    assert "s3cr3t" not in verdict
