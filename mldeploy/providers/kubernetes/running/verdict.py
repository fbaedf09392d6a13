"""Why a rollout cannot succeed: the first cause that is proven, from what the cluster, the log and the app itself say.

https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mldeploy.config.settings import Project
from mldeploy.config.text import size
from mldeploy.image.client import AnswerError, GoldenError
from mldeploy.image.running.causes import About, Diagnosis, Sign, from_exit, from_log, listens_on, unhealthy
from mldeploy.image.running.diagnose import redacted
from mldeploy.image.running.errors import VerdictError
from mldeploy.providers.kubernetes.reading import Document, text
from mldeploy.providers.kubernetes.running.pods import Pod

SHOWN_LINES = 20
SCALING_UP = "TriggeredScaleUp"
NOT_SCALING_UP = "NotTriggerScaleUp"
BACKING_OFF = "ImagePullBackOff"
PULLING = ("ErrImagePull", BACKING_OFF)
UNPULLABLE = ("InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable")
UNSTARTABLE = ("CreateContainerError", "RunContainerError", "StartError", "ContainerCannotRun")
UNCONFIGURED = "CreateContainerConfigError"
CRASHING = "CrashLoopBackOff"
KILLED_BY_MEMORY = "OOMKilled"
CRASHES = 2
"""After so many restarts nobody waits for the cluster to call it a loop."""

_ROOT = re.compile(r"(?i)run(?:s|ning)? as root|runAsNonRoot|non-numeric user")
_PULL_SIGNS = (
    Sign(
        r"(?i)no match for platform|no matching manifest|exec format error",
        "the image cannot be pulled: it is not for the processor of the nodes",
        "Set `platform` in [build] of mldeploy.toml to that of the nodes, and deploy again.",
    ),
    Sign(
        r"(?i)unauthorized|no basic auth|denied|403 Forbidden|401",
        "the image cannot be pulled: the registry does not let the cluster in ({said})",
        "Log in (`docker login`), so that mldeploy can hand the credentials over, or give the nodes access themselves; "
        "see `pull_secret`.",
    ),
    Sign(
        r"(?i)not found|manifest unknown|does not exist|name unknown",
        "the image cannot be pulled: the registry does not have it ({said})",
        "Deploy again: it is pushed anew. Somebody, or a rule of the registry, has removed it.",
    ),
    Sign(
        r"(?i)dial tcp|no such host|i/o timeout|connection refused|timed? ?out|server gave HTTP response|x509|tls:",
        "the image cannot be pulled: the cluster does not reach the registry ({said})",
        "See `registry`: the nodes must be able to reach that host, and trust its certificate.",
    ),
)
_FORBIDDEN = re.compile(r"exceeded quota|violates PodSecurity")
_CREATE_SIGNS = (
    Sign(
        r"exceeded quota: (?P<quota>[^,]+).*",
        "no pod can be made: the quota {quota} of the namespace is used up ({said})",
        "Have it raised, or ask for less: `memory` and `cpus` in [app], `instances`.",
    ),
    Sign(
        r"violates PodSecurity",
        "no pod can be made: the namespace does not admit it ({said})",
        "See the namespace's Pod Security Standard; an image of mldeploy's own recipe meets the strictest.",
    ),
    Sign(
        r"(?P<all>.+)",
        "no pod can be made: {said}",
        "A rule of the cluster, or of the namespace, forbids it: have it changed by whoever has set it.",
    ),
)


@dataclass(frozen=True)
class Said:
    """One Event: what the cluster says of an object. about: that object's identity. at: ISO 8601, UTC."""

    about: str
    name: str
    reason: str
    message: str
    warns: bool
    at: str


@dataclass(frozen=True)
class Evidence:
    """What was seen of the pod that proves it. said: its events. log: the end of its log. waited: seconds it ran."""

    pod: Pod
    said: tuple[Said, ...] = ()
    log: tuple[str, ...] = ()
    answer: AnswerError | None = None
    waited: float = 0.0


def said_of(event: Document) -> Said:
    """An Event of the core API."""
    return Said(
        text(event, "involvedObject", "uid"),
        text(event, "involvedObject", "name"),
        text(event, "reason"),
        " ".join(text(event, "message").split()),
        text(event, "type") == "Warning",
        text(event, "lastTimestamp") or text(event, "eventTime") or text(event, "metadata", "creationTimestamp"),
    )


def proves_failure(pod: Pod, said: Iterable[Said], *, patient: bool) -> bool:
    """Whether what is seen of a pod of the new version shows that the version cannot serve.

    patient: what may pass by itself (no room yet, a registry that did not answer once) is not taken as a proof.
    """
    if pod.leaving or pod.ready:
        return False
    told = tuple(said)
    if pod.unscheduled:
        return _has_no_room([each.reason for each in told], patient=patient)
    return _is_stuck(pod, told, patient=patient) or _is_dying(pod, told)


def verdict(project: Project, evidence: Evidence) -> VerdictError:
    """Why the version is not let in. No value of the project's environment is in it, should the app have logged one."""
    found = _diagnosis(project, evidence)
    log = tuple(redacted(line, project) for line in evidence.log[-SHOWN_LINES:])
    todo = found.todo or ("Its log above says more." if log else f"`kubectl describe pod {evidence.pod.name}`.")
    said = replace(found, cause=redacted(found.cause, project), todo=todo)
    ended = evidence.pod.ended.code if evidence.pod.ended else None
    return VerdictError(f"pod {evidence.pod.name}", said, exit_status=ended, log=log)


def without_pod(where: str, said: str) -> VerdictError:
    """The verdict where not even a pod could be made; `said` is what the cluster says."""
    found = _signed(_CREATE_SIGNS, said) or Diagnosis("no pod can be made", "See `kubectl describe replicaset`.")
    return VerdictError(where, found)


def is_final(said: str) -> bool:
    """Whether what the cluster says of a pod that it does not make will not be otherwise in a moment."""
    return bool(_FORBIDDEN.search(said))


def _has_no_room(reasons: list[str], *, patient: bool) -> bool:
    if SCALING_UP in reasons:
        return False  # a node is on its way; the deadline of the rollout still holds
    return NOT_SCALING_UP in reasons or not patient


def _is_stuck(pod: Pod, told: Iterable[Said], *, patient: bool) -> bool:
    """Its container does not get as far as to run."""
    if pod.waiting in PULLING:
        return pod.waiting == BACKING_OFF and (not patient or _has_answer(pod, told))
    if pod.waiting == UNCONFIGURED:
        return not patient or bool(_ROOT.search(pod.message))
    return pod.waiting in (*UNPULLABLE, *UNSTARTABLE)


def _is_dying(pod: Pod, told: Iterable[Said]) -> bool:
    """Its container does not stay."""
    if pod.waiting == CRASHING or pod.restarts >= CRASHES:
        return True
    if pod.ended is not None and pod.ended.reason in (*UNSTARTABLE, KILLED_BY_MEMORY):
        return True
    return any("failed startup probe" in each.message for each in told)


def _has_answer(pod: Pod, told: Iterable[Said]) -> bool:
    """Whether the registry has said no, rather than not been reached."""
    answer = f"{pod.message} {' '.join(each.message for each in told)}"
    return any(re.search(sign.pattern, answer) for sign in _PULL_SIGNS[:3])


def _diagnosis(project: Project, evidence: Evidence) -> Diagnosis:
    told = from_log(evidence.log, project.build.requirements)
    if evidence.answer is not None:
        return _answered(evidence.answer, told)
    return _before_it_runs(project, evidence) or _as_it_runs(project, evidence, told)


def _before_it_runs(project: Project, evidence: Evidence) -> Diagnosis | None:
    pod = evidence.pod
    if pod.unscheduled:
        todo = "Add nodes, or ask for less: `memory` and `cpus` in [app], `cpu_request` in the target's table."
        return Diagnosis(f"no node has room for it: {pod.unscheduled}", todo)
    if pod.waiting in (*PULLING, *UNPULLABLE):
        return _unpulled(evidence)
    if pod.waiting == UNCONFIGURED:
        return _unconfigured(pod)
    if pod.waiting in UNSTARTABLE or (pod.ended and pod.ended.reason in UNSTARTABLE):
        return _unstarted(project, pod)
    return None


def _as_it_runs(project: Project, evidence: Evidence, told: Diagnosis | None) -> Diagnosis:
    end = evidence.pod.ended
    if end is not None and end.reason == KILLED_BY_MEMORY:
        todo = "Raise `memory` in [app] of mldeploy.toml, or lower `workers`."
        limit = size(project.app.memory)
        return Diagnosis(f"out of memory: it was killed at the limit of {limit}", todo, About.MEMORY)
    if end is not None and not _is_about_probe(evidence):
        return _ended(end.code, told)
    return _unready(project, evidence, told)


def _answered(answer: AnswerError, told: Diagnosis | None) -> Diagnosis:
    if isinstance(answer, GoldenError):
        return Diagnosis(answer.what, answer.todo, About.GOLDEN)
    log = f"; the log says: {told.cause}" if told else ""
    todo = told.todo if told else "The golden row is asked there: correct its path or its request, or the app."
    return Diagnosis(f"the golden row: {answer.what}{log}", todo, About.GOLDEN)


def _unpulled(evidence: Evidence) -> Diagnosis:
    told = [each.message for each in evidence.said if "pull" in each.message.lower() and each.reason == "Failed"]
    # What is told of the first attempt names the registry's answer; later ones may only say that they wait.
    longest = max((evidence.pod.message, *told), key=len)
    return _signed(_PULL_SIGNS, longest) or Diagnosis(
        f"the image cannot be pulled: {longest or evidence.pod.waiting}", "See `registry`: the nodes must reach it."
    )


def _unconfigured(pod: Pod) -> Diagnosis:
    if _ROOT.search(pod.message):
        todo = "End the Dockerfile with USER and a number: `USER 10001`."
        return Diagnosis("the image runs as root, and the cluster does not let it", todo)
    return Diagnosis(f"its environment cannot be made: {pod.message}", "Deploy again: what is missing is made anew.")


def _unstarted(project: Project, pod: Pod) -> Diagnosis:
    said = pod.message or (pod.ended.message if pod.ended else "")
    found = from_log([said], project.build.requirements)
    todo = "Correct ENTRYPOINT and CMD of the Dockerfile."
    return found or Diagnosis(f"the container cannot be started: {said or pod.waiting}", todo)


def _ended(code: int, told: Diagnosis | None) -> Diagnosis:
    end = from_exit(code)
    return Diagnosis(f"{told.cause} (exit code {code})", told.todo or end.todo, told.about) if told else end


def _is_about_probe(evidence: Evidence) -> bool:
    return any("startup probe" in each.message.lower() for each in evidence.said)


def _unready(project: Project, evidence: Evidence, told: Diagnosis | None) -> Diagnosis:
    port, path = project.app.port, project.app.health
    probed = next((each.message for each in reversed(evidence.said) if each.reason == "Unhealthy"), "")
    if told:
        return Diagnosis(f"{path} does not answer; the log says: {told.cause}", told.todo, told.about)
    if "connection refused" in probed:
        todo = f"Let the server listen on 0.0.0.0:{port} (the variable PORT says {port}), or correct `port` in [app]."
        elsewhere = listens_on(evidence.log)
        but = f", but something listens on {elsewhere}" if elsewhere else ""
        return Diagnosis(f"nothing listens on port {port}{but}", todo, About.PORT)
    if status := re.search(r"statuscode: (\d+)", probed):
        return unhealthy(path, f"{path} answers {status[1]}")
    todo = "Let it answer 200 sooner, or give it longer with `start_timeout` in [check] of mldeploy.toml."
    how = probed or f"no healthy answer within {evidence.waited:.0f} s"
    return Diagnosis(f"{path} on port {port}: {how}", todo, About.HEALTH)


def _signed(signs: tuple[Sign, ...], said: str) -> Diagnosis | None:
    for sign in signs:
        if match := re.search(sign.pattern, said):
            return Diagnosis(sign.cause.format_map({**match.groupdict(), "said": said}), sign.todo, sign.about)
    return None
