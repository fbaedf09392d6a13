"""The diagnosis of a container that failed its examination."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from mldeploy.app.causes import (
    About,
    FailureDiagnosis,
    add_log_hint,
    diagnose_exit,
    diagnose_unhealthy,
)
from mldeploy.app.client import AnswerError, GoldenError, NoAnswer, NoAnswerError
from mldeploy.app.container import Container
from mldeploy.app.listen_address import advise_listen_address, format_wait
from mldeploy.app.listeners import ListeningSocket, Sockets
from mldeploy.app.log_causes import diagnose_log
from mldeploy.app.verdict import VerdictError, redacted_verdict
from mldeploy.config.settings import Project
from mldeploy.config.text import size


@dataclass(frozen=True)
class ContainerEvidence:
    """The last observations of a container that failed.

    out_of_memory: the kernel killed one of its processes. sockets: None if they could not be read. answer: the last
    failed request. waited: seconds. log: the end of the log.
    """

    container: Container
    out_of_memory: bool
    sockets: Sockets | None
    answer: AnswerError
    waited: float
    log: tuple[str, ...]


def build_container_verdict(project: Project, evidence: ContainerEvidence) -> VerdictError:
    """Return the verdict on a container. Values of the project's environment are redacted."""
    container = evidence.container
    return redacted_verdict(
        project,
        f"{container.name} ({container.spec.image})",
        diagnose_container(project, evidence),
        evidence.log,
        exit_status=None if container.running else container.exit_status,
    )


def build_start_verdict(project: Project, container: Container, reason: str) -> VerdictError:
    """Return the verdict on a container that the engine could not start. reason: the engine's message."""
    diagnosis = diagnose_log([reason], project.build.requirements) or FailureDiagnosis(reason, "See `docker events`.")
    where = f"{container.name} ({container.spec.image})"
    failure = replace(diagnosis, cause=f"it does not start: {diagnosis.cause}")
    return VerdictError(where, failure, exit_status=container.exit_status)


def diagnose_container(project: Project, evidence: ContainerEvidence) -> FailureDiagnosis:
    """Return the first cause that is certain. The most specific cause is tried first."""
    container, logged = evidence.container, diagnose_log(evidence.log, project.build.requirements)
    if evidence.out_of_memory or container.oom_killed:
        return _diagnose_memory(project, evidence)
    if not container.running:
        return diagnose_exit(container.exit_status, logged)
    return _diagnose_answer(project, evidence, logged)


def _diagnose_memory(project: Project, evidence: ContainerEvidence) -> FailureDiagnosis:
    who = "one of its processes was" if evidence.container.running else "it was"
    limit = size(project.app.memory)
    todo = "Raise `memory` in [app] of mldeploy.toml, or lower `workers`."
    return FailureDiagnosis(f"out of memory: {who} killed at the limit of {limit}", todo, About.MEMORY)


def _diagnose_answer(
    project: Project, evidence: ContainerEvidence, logged: FailureDiagnosis | None
) -> FailureDiagnosis:
    answer, health = evidence.answer, project.app.health
    if isinstance(answer, GoldenError):
        return FailureDiagnosis(answer.what, answer.todo, About.GOLDEN)
    if isinstance(answer, NoAnswerError):
        return _diagnose_no_answer(project, evidence, answer, logged)
    path = urlsplit(answer.where).path
    about = About.HEALTH if path == health else About.GOLDEN
    observed = f"{path} {answer.what}"
    if path == health and answer.status in _LOADING:
        late = diagnose_unhealthy(health, f"{observed}{format_wait('after', evidence.waited)}")
        return add_log_hint(replace(late, todo=f"{late.todo} {_LATER}"), logged)
    if logged:
        return _combine_with_log(observed, logged, about)
    if path != health:
        todo = "The golden row is sent to that path: correct its path or its request, or the app."
        return FailureDiagnosis(observed, todo, about)
    return diagnose_unhealthy(health, observed)


_LATER = "If it is still loading, raise `start_timeout` in [check]."
_LOADING = (429, 503)
"""Statuses of an app that is not ready yet."""


def _combine_with_log(observed: str, logged: FailureDiagnosis, about: About) -> FailureDiagnosis:
    """Combine an observation with the cause in the log. The log may name another subject."""
    about = about if logged.about is About.START else logged.about
    return FailureDiagnosis(f"{observed}; the log says: {logged.cause}", logged.todo, about)


def _diagnose_no_answer(
    project: Project, evidence: ContainerEvidence, answer: NoAnswerError, logged: FailureDiagnosis | None
) -> FailureDiagnosis:
    port, path, sockets = project.app.port, urlsplit(answer.where).path, evidence.sockets
    if sockets and not any(each.reaches(port) for each in sockets.listeners):
        return _diagnose_port(port, sockets.listeners, evidence, logged)
    about = About.HEALTH if path == project.app.health else About.GOLDEN
    if answer.silence is NoAnswer.LATE:
        todo = "Let it answer at once, or raise `start_timeout` in [check] of mldeploy.toml."
        late = FailureDiagnosis(f"{path} does not answer{format_wait('within', evidence.waited)}", todo, about)
        return add_log_hint(late, logged)
    if logged:
        return _combine_with_log(f"{path} does not answer", logged, about)
    if answer.silence is NoAnswer.GARBLED:
        todo = "Let a web server listen there."
        return FailureDiagnosis(f"what listens on port {port} does not speak HTTP", todo, About.PORT)
    todo = "Check that its server answers on that port."
    return FailureDiagnosis(f"{path} gets no answer: {answer.silence.value}", todo, about)


def _diagnose_port(
    port: int, listeners: tuple[ListeningSocket, ...], evidence: ContainerEvidence, logged: FailureDiagnosis | None
) -> FailureDiagnosis:
    if not listeners and logged and logged.about is About.PORT:
        return _combine_with_log(f"nothing listens on port {port}", logged, About.PORT)
    if not listeners:
        todo = "If it is still loading, raise `start_timeout` in [check] of mldeploy.toml."
        what = f"nothing listens on port {port}{format_wait('after', evidence.waited)}, the time limit"
        return add_log_hint(FailureDiagnosis(what, todo, About.PORT), logged)
    addresses = " and ".join(map(str, listeners))
    if any(each.port == port for each in listeners):
        todo = f"Let the server listen on 0.0.0.0:{port}."
        what = f"it listens on {addresses}, which only the container itself can reach"
        return FailureDiagnosis(what, todo, About.PORT)
    what = f"nothing listens on port {port}, but something listens on {addresses}"
    return FailureDiagnosis(what, advise_listen_address(port), About.PORT)
