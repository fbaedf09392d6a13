"""Diagnose a failed rollout: the first proven cause, from the cluster's events, the log and the app's answers.

https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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
from mldeploy.app.client import AnswerError, GoldenError
from mldeploy.app.listen_address import REFUSED, diagnose_unreachable_port, format_wait
from mldeploy.app.log_causes import diagnose_log
from mldeploy.app.verdict import VerdictError, redacted_verdict
from mldeploy.config.settings import Project
from mldeploy.config.text import size
from mldeploy.providers.kubernetes.documents import Document, text
from mldeploy.providers.kubernetes.running.patience import LOGIN_TODO, RolloutPatience
from mldeploy.providers.kubernetes.running.pods import Pod

SCALING_UP = "TriggeredScaleUp"
BACKING_OFF = "ImagePullBackOff"
PULLING = ("ErrImagePull", BACKING_OFF)
UNPULLABLE = ("InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable")
UNSTARTABLE = ("CreateContainerError", "RunContainerError", "StartError", "ContainerCannotRun")
UNCONFIGURED = "CreateContainerConfigError"
CRASHING = "CrashLoopBackOff"
KILLED_BY_MEMORY = "OOMKilled"
CRASHES = 2
"""The number of restarts that counts as a crash loop."""

FAILED_STARTUP = "failed startup probe"
"""In the kubelet's event of reason Killing: `Container app failed startup probe, will be restarted`."""
PROBE_KILL_CODES = (0, 137, 143)
"""The exit codes after the kubelet's SIGTERM or SIGKILL; any other one is the process's own."""

_ROOT = re.compile(r"(?i)run(?:s|ning)? as root|runAsNonRoot|non-numeric user")
_PLATFORM_SIGNS = (
    Sign(
        r"(?i)no match for platform|no matching manifest|exec format error",
        "the image cannot be pulled: its platform is not that of the nodes",
        "Set `platform` in [build] of mldeploy.toml to the nodes' platform, and deploy again.",
    ),
)
_REJECTED = re.compile(r"(?i)unauthorized|no basic auth|denied|403 Forbidden|401")
_ABSENT_SIGNS = (
    Sign(
        r"(?i)not found|manifest unknown|does not exist|name unknown",
        "the image cannot be pulled: the registry does not have it ({message})",
        "Deploy again to push it. It was deleted, perhaps by a cleanup rule of the registry.",
    ),
)
_UNREACHABLE_SIGNS = (
    Sign(
        r"(?i)dial tcp|no such host|i/o timeout|connection refused|timed? ?out|server gave HTTP response|x509|tls:",
        "the image cannot be pulled: the cluster cannot reach the registry ({message})",
        "Check `registry`: the nodes must be able to reach that host and trust its certificate.",
    ),
)
_FORBIDDEN = re.compile(r"exceeded quota|violates PodSecurity|no PriorityClass with name")
_CREATE_SIGNS = (
    Sign(
        r"exceeded quota: (?P<quota>[^,]+).*",
        "no pod can be created: the namespace's quota {quota} is exceeded ({message})",
        "Raise the quota, or lower `memory` and `cpus` in [app], or `instances`.",
    ),
    Sign(
        r"violates PodSecurity",
        "no pod can be created: the namespace does not admit it ({message})",
        "Check the namespace's Pod Security Standard. Images without a custom Dockerfile meet the strictest one.",
    ),
    Sign(
        r"no PriorityClass with name (?P<name>\S+) was found",
        "no pod can be created: the cluster has no PriorityClass {name}",
        "Correct `priority_class`, or let an administrator create it.",
    ),
    Sign(
        r'serviceaccount "(?P<name>[^"]+)" not found',
        "no pod can be created: the namespace has no service account {name}",
        "Correct `service_account`, or create it.",
    ),
    Sign(
        r"(?P<all>.+)",
        "no pod can be created: {message}",
        "A policy of the cluster or the namespace forbids it. Ask its administrator.",
    ),
)


@dataclass(frozen=True)
class PodEvent:
    """One Event of an object. about: the object's uid. at: ISO 8601, UTC."""

    about: str
    name: str
    reason: str
    message: str
    warns: bool
    at: str


@dataclass(frozen=True)
class PodEvidence:
    """The evidence for a verdict on a pod. events: its events. log: the end of its log. waited: seconds it ran.

    access_todo: what to do if the registry rejects the nodes.
    """

    pod: Pod
    events: tuple[PodEvent, ...] = ()
    log: tuple[str, ...] = ()
    answer: AnswerError | None = None
    waited: float = 0.0
    access_todo: str = LOGIN_TODO


def parse_event(event: Document) -> PodEvent:
    """Parse an Event of the core API."""
    return PodEvent(
        text(event, "involvedObject", "uid"),
        text(event, "involvedObject", "name"),
        text(event, "reason"),
        " ".join(text(event, "message").split()),
        text(event, "type") == "Warning",
        text(event, "lastTimestamp") or text(event, "eventTime") or text(event, "metadata", "creationTimestamp"),
    )


def proves_failure(pod: Pod, events: Iterable[PodEvent], waited: float, patience: RolloutPatience) -> bool:
    """Whether the state of a pod proves that the new version cannot serve.

    waited: seconds since the rollout began. Transient problems (no free node yet, a registry that did not answer once)
    are no proof while the patience lasts.
    """
    patient = waited < patience.transient
    if pod.leaving or pod.ready:
        return False
    known = tuple(events)
    if pod.unscheduled:
        return _is_unschedulable([each.reason for each in known], patient=patient)
    if pod.waiting == BACKING_OFF and _is_pull_hopeless(pod, known, waited, patience):
        return True
    return _is_stuck(pod, patient=patient) or _is_dying(pod, known)


def build_verdict(project: Project, evidence: PodEvidence) -> VerdictError:
    """Return the verdict on a pod. Values of the project's environment are redacted."""
    return redacted_verdict(
        project,
        f"pod {evidence.pod.name}",
        _diagnose(project, evidence),
        evidence.log,
        exit_status=evidence.pod.ended.code if evidence.pod.ended else None,
        without_log=f"`kubectl describe pod {evidence.pod.name}`.",
    )


def verdict_without_pod(where: str, message: str) -> VerdictError:
    """Return the verdict if no pod could be created. message: the cluster's message."""
    diagnosis = match_signs(_CREATE_SIGNS, message) or FailureDiagnosis(
        "no pod can be created", "See `kubectl describe replicaset`."
    )
    return VerdictError(where, diagnosis)


def is_final(message: str) -> bool:
    """Whether the cluster's message on a pod that it cannot create is final."""
    return bool(_FORBIDDEN.search(message))


def _is_unschedulable(reasons: list[str], *, patient: bool) -> bool:
    if SCALING_UP in reasons:
        return False  # a node is being added; the rollout's deadline still applies
    return not patient  # an autoscaler that adds no node (NotTriggerScaleUp) may add one a minute later


def _is_stuck(pod: Pod, *, patient: bool) -> bool:
    """Whether its container cannot start."""
    if pod.waiting == UNCONFIGURED:
        return not patient or bool(_ROOT.search(pod.message))
    return pod.waiting in (*UNPULLABLE, *UNSTARTABLE)


def _is_dying(pod: Pod, events: Iterable[PodEvent]) -> bool:
    """Whether its container keeps failing."""
    if pod.waiting == CRASHING or pod.restarts >= CRASHES:
        return True
    if pod.ended is not None and pod.ended.reason in (*UNSTARTABLE, KILLED_BY_MEMORY):
        return True
    # Events and pods are watched apart: without the pod's state of that time, its log would not be read.
    has_run = pod.running or pod.ended is not None
    return has_run and any(FAILED_STARTUP in each.message for each in events)


def _is_pull_hopeless(pod: Pod, events: Iterable[PodEvent], waited: float, patience: RolloutPatience) -> bool:
    """Whether the registry will not hand out the image: it has no such image, or it rejects the nodes for good."""
    answer = f"{pod.message} {' '.join(each.message for each in events)}"
    if any(re.search(sign.pattern, answer) for sign in _PLATFORM_SIGNS):
        return True
    if _REJECTED.search(answer):
        return waited >= patience.rejected
    return waited >= patience.transient or any(re.search(sign.pattern, answer) for sign in _ABSENT_SIGNS)


def _pull_signs(access_todo: str) -> tuple[Sign, ...]:
    what = "the image cannot be pulled: the registry rejects the cluster ({message})"
    return (*_PLATFORM_SIGNS, Sign(_REJECTED.pattern, what, access_todo), *_ABSENT_SIGNS, *_UNREACHABLE_SIGNS)


def _diagnose(project: Project, evidence: PodEvidence) -> FailureDiagnosis:
    log_diagnosis = diagnose_log(evidence.log, project.build.requirements)
    if evidence.answer is not None:
        return _diagnose_answer(evidence.answer, log_diagnosis)
    return _diagnose_before_start(project, evidence) or _diagnose_running(project, evidence, log_diagnosis)


_NO_GPU = re.compile(r"Insufficient (?P<resource>[a-z0-9.-]+/gpu\b)")
"""https://github.com/kubernetes/kubernetes/blob/master/pkg/scheduler/framework/plugins/noderesources/fit.go"""


def _diagnose_before_start(project: Project, evidence: PodEvidence) -> FailureDiagnosis | None:
    pod = evidence.pod
    if pod.unscheduled:
        if gpu := _NO_GPU.search(pod.unscheduled):
            todo = "Add nodes with such GPUs, or correct `gpu`, `gpu_type` and `gpu_resource` in the target's table."
            return FailureDiagnosis(f"there is no node with a free GPU ({gpu['resource']}): {pod.unscheduled}", todo)
        todo = "Add nodes, or lower `memory` and `cpus` in [app], or `cpu_request` in the target's table."
        return FailureDiagnosis(f"it cannot be scheduled: {pod.unscheduled}", todo)
    if pod.waiting in (*PULLING, *UNPULLABLE):
        return _diagnose_pull(evidence)
    if pod.waiting == UNCONFIGURED:
        return _diagnose_configuration(pod)
    if pod.waiting in UNSTARTABLE or (pod.ended and pod.ended.reason in UNSTARTABLE):
        return _diagnose_start(project, pod)
    return None


def _diagnose_running(
    project: Project, evidence: PodEvidence, log_diagnosis: FailureDiagnosis | None
) -> FailureDiagnosis:
    end = evidence.pod.ended
    if end is not None and end.reason == KILLED_BY_MEMORY:
        todo = "Raise `memory` in [app] of mldeploy.toml, or lower `workers`."
        limit = size(project.app.memory)
        return FailureDiagnosis(f"out of memory: it was killed at the limit of {limit}", todo, About.MEMORY)
    if end is not None and not _was_killed_by_probe(evidence, end.code):
        return diagnose_exit(end.code, log_diagnosis)
    return add_log_hint(_diagnose_unready(project, evidence), log_diagnosis)


def _diagnose_answer(answer: AnswerError, log_diagnosis: FailureDiagnosis | None) -> FailureDiagnosis:
    if isinstance(answer, GoldenError):
        return FailureDiagnosis(answer.what, answer.todo, About.GOLDEN)
    log = f"; the log says: {log_diagnosis.cause}" if log_diagnosis else ""
    todo = log_diagnosis.todo if log_diagnosis else "Correct the golden row's path or request, or the app."
    return FailureDiagnosis(f"the golden row: {answer.what}{log}", todo, About.GOLDEN)


def _diagnose_pull(evidence: PodEvidence) -> FailureDiagnosis:
    messages = [each.message for each in evidence.events if "pull" in each.message.lower() and each.reason == "Failed"]
    # The events of the first attempt contain the registry's answer; later ones may not.
    longest = max((evidence.pod.message, *messages), key=len)
    return match_signs(_pull_signs(evidence.access_todo), longest) or FailureDiagnosis(
        f"the image cannot be pulled: {longest or evidence.pod.waiting}",
        "Check `registry`: the nodes must be able to reach it.",
    )


def _diagnose_configuration(pod: Pod) -> FailureDiagnosis:
    if _ROOT.search(pod.message):
        todo = "End the Dockerfile with USER and a number: `USER 10001`."
        return FailureDiagnosis("the image runs as root, and the cluster does not allow it", todo)
    return FailureDiagnosis(
        f"its environment cannot be set up: {pod.message}",
        "Deploy again to create what is missing. What `env_secrets` and `env_config_maps` name is yours to create.",
    )


def _diagnose_start(project: Project, pod: Pod) -> FailureDiagnosis:
    message = pod.message or (pod.ended.message if pod.ended else "")
    log_diagnosis = diagnose_log([message], project.build.requirements)
    todo = "Correct ENTRYPOINT and CMD of the Dockerfile."
    return log_diagnosis or FailureDiagnosis(f"the container cannot be started: {message or pod.waiting}", todo)


def _was_killed_by_probe(evidence: PodEvidence, code: int) -> bool:
    """Whether the kubelet ended the container. It probes a process that is ending by itself, too."""
    return code in PROBE_KILL_CODES and any(FAILED_STARTUP in each.message for each in evidence.events)


def _diagnose_unready(project: Project, evidence: PodEvidence) -> FailureDiagnosis:
    port, path = project.app.port, project.app.health
    probed = next((each.message for each in reversed(evidence.events) if each.reason == "Unhealthy"), "")
    if "connection refused" in probed:
        return diagnose_unreachable_port(port, evidence.log, REFUSED)
    if status := re.search(r"statuscode: (\d+)", probed):
        return diagnose_unhealthy(path, f"{path} answers {status[1]}")
    todo = "Let it answer 200 sooner, or raise `start_timeout` in [check] of mldeploy.toml."
    how = probed or f"no healthy answer{format_wait('within', evidence.waited)}"
    return FailureDiagnosis(f"{path} on port {port}: {how}", todo, About.HEALTH)
