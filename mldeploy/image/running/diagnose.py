"""From what was seen of a version that is not let in to one verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from mldeploy.config.settings import Project
from mldeploy.config.text import size
from mldeploy.image.client import AnswerError, GoldenError, Silence, SilentError
from mldeploy.image.running.causes import About, Diagnosis, from_exit, from_log, unhealthy
from mldeploy.image.running.container import Container
from mldeploy.image.running.errors import VerdictError
from mldeploy.image.running.listeners import Listener, Sockets

SHOWN_LINES = 20


@dataclass(frozen=True)
class Evidence:
    """What was seen of a container until it was given up.

    out_of_memory: the kernel killed a process of it. sockets: None if they could not be seen. answer: how the app
    failed to answer last. waited: seconds. log: the end of its log.
    """

    container: Container
    out_of_memory: bool
    sockets: Sockets | None
    answer: AnswerError
    waited: float
    log: tuple[str, ...]


def verdict(project: Project, evidence: Evidence) -> VerdictError:
    """Why the version is not let in. No value of the project's environment is in it, should the app have logged one."""
    found = diagnosis(project, evidence)
    ended = None if evidence.container.running else evidence.container.exit_status
    log = tuple(redacted(line, project) for line in evidence.log[-SHOWN_LINES:])
    where = f"{evidence.container.name} ({evidence.container.spec.image})"
    said = replace(found, cause=redacted(found.cause, project), todo=found.todo or "Its log above says more.")
    return VerdictError(where, said, exit_status=ended, log=log)


def refused_start(project: Project, container: Container, said: str) -> VerdictError:
    """The verdict on a container that the engine could not start; `said` is the engine's reason."""
    found = from_log([said], project.build.requirements) or Diagnosis(said, "See `docker events`.")
    where = f"{container.name} ({container.spec.image})"
    refusal = replace(found, cause=f"it does not start: {found.cause}")
    return VerdictError(where, refusal, exit_status=container.exit_status)


def diagnosis(project: Project, evidence: Evidence) -> Diagnosis:
    """The first cause that is certain, the most particular first."""
    container, told = evidence.container, from_log(evidence.log, project.build.requirements)
    if evidence.out_of_memory or container.oom_killed:
        return _out_of_memory(project, evidence)
    if not container.running:
        return _ended(container, told)
    return _answered(project, evidence, told)


def _out_of_memory(project: Project, evidence: Evidence) -> Diagnosis:
    who = "one of its processes was" if evidence.container.running else "it was"
    limit = size(project.app.memory)
    todo = "Raise `memory` in [app] of mldeploy.toml, or lower `workers`."
    return Diagnosis(f"out of memory: {who} killed at the limit of {limit}", todo, About.MEMORY)


def _ended(container: Container, told: Diagnosis | None) -> Diagnosis:
    end = from_exit(container.exit_status)
    if told is None:
        return end
    return Diagnosis(f"{told.cause} (exit code {container.exit_status})", told.todo or end.todo, told.about)


def _answered(project: Project, evidence: Evidence, told: Diagnosis | None) -> Diagnosis:
    answer, health = evidence.answer, project.app.health
    if isinstance(answer, GoldenError):
        return Diagnosis(answer.what, answer.todo, About.GOLDEN)
    if isinstance(answer, SilentError):
        return _silent(project, evidence, answer, told)
    path = urlsplit(answer.where).path
    about = About.HEALTH if path == health else About.GOLDEN
    said = f"{path} {answer.what}"
    if told:
        return _as_told(said, told, about)
    if path != health:
        return Diagnosis(said, "The golden row is asked there: correct its path or its request, or the app.", about)
    return unhealthy(health, said)


def _as_told(said: str, told: Diagnosis, about: About) -> Diagnosis:
    """What was seen, and what the log says of it: the log may know that it is the fault of something else."""
    about = about if told.about is About.START else told.about
    return Diagnosis(f"{said}; the log says: {told.cause}", told.todo, about)


def _silent(project: Project, evidence: Evidence, answer: SilentError, told: Diagnosis | None) -> Diagnosis:
    port, path, sockets = project.app.port, urlsplit(answer.where).path, evidence.sockets
    if sockets and not any(each.reaches(port) for each in sockets.listeners):
        return _not_listening(port, sockets.listeners, evidence, told)
    about = About.HEALTH if path == project.app.health else About.GOLDEN
    if told:
        return _as_told(f"{path} does not answer", told, about)
    if answer.silence is Silence.GARBLED:
        todo = "Let a web server listen there."
        return Diagnosis(f"what listens on port {port} does not speak HTTP", todo, About.PORT)
    if answer.silence is Silence.LATE:
        todo = "Let it answer at once, or give it longer with `start_timeout` in [check] of mldeploy.toml."
        return Diagnosis(f"{path} does not answer within {evidence.waited:.0f} s", todo, about)
    todo = "See that its server answers on that port."
    return Diagnosis(f"{path} gets no answer: {answer.silence.value}", todo, about)


def _not_listening(port: int, listeners: tuple[Listener, ...], evidence: Evidence, told: Diagnosis | None) -> Diagnosis:
    if not listeners and told:
        return _as_told(f"nothing listens on port {port}", told, About.PORT)
    if not listeners:
        todo = "Let its server start, or give it longer with `start_timeout` in [check] of mldeploy.toml."
        return Diagnosis(f"nothing listens on port {port} after {evidence.waited:.0f} s", todo, About.PORT)
    found = " and ".join(map(str, listeners))
    if any(each.port == port for each in listeners):
        todo = f"Let the server listen on 0.0.0.0:{port}."
        return Diagnosis(f"it listens on {found}, which only the container itself can reach", todo, About.PORT)
    todo = f"Let the server listen on 0.0.0.0:{port} (the variable PORT says {port}), or correct `port` in [app]."
    return Diagnosis(f"nothing listens on port {port}, but something listens on {found}", todo, About.PORT)


def redacted(text: str, project: Project) -> str:
    """The text without the values of the environment. Short ones stay: they are words and numbers, not secrets."""
    for _, value in project.app.env:
        if len(value.reveal()) >= 6:
            text = text.replace(value.reveal(), "[REDACTED]")
    return text
