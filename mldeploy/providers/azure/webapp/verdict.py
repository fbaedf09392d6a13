"""Diagnose why a version does not serve, from the site's log and the app's responses.

https://learn.microsoft.com/troubleshoot/azure/app-service/faqs-app-service-linux
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mldeploy.app.causes import (
    About,
    FailureDiagnosis,
    Sign,
    add_log_hint,
    diagnose_exit,
    diagnose_unhealthy,
)
from mldeploy.app.client import AnswerError, GoldenError, NoAnswerError
from mldeploy.app.listen_address import SILENT, diagnose_unreachable_port, find_logged_address, format_wait
from mldeploy.app.log_causes import diagnose_log
from mldeploy.app.verdict import VerdictError, redacted_verdict
from mldeploy.config.settings import Project

_PULL = (
    Sign(
        r"(?i)ImagePullUnauthorized|unauthorized: authentication required|pull access denied|token validation failed",
        "the image cannot be pulled: the app's identity may not pull from the registry",
        "Deploy again to assign the role again. If it fails again, check the registry's policies and network rules.",
    ),
    Sign(
        r"(?i)ImagePullNotFound|manifest (?:for \S+ )?(?:unknown|not found)|not found: manifest|name unknown",
        "the image cannot be pulled: it is no longer in the registry",
        "Deploy again to push it. Check whether a retention policy deletes it.",
    ),
    Sign(
        r"(?i)no matching manifest for (?P<platform>[\w/]+)",
        "the image cannot be pulled: it does not support the platform of App Service, {platform}",
        "Set `platform` in [build] of mldeploy.toml, and deploy again.",
    ),
    Sign(
        r"(?i)failed with reason: (?P<reason>ImagePull\w+)|(?P<other>Image pull failed): ",
        "the image cannot be pulled",
        "See the registry in the Azure portal. Check whether network rules block App Service.",
    ),
)
_PULLS = tuple(re.compile(sign.pattern) for sign in _PULL)
_EXIT = re.compile(r"(?i)exit(?:ed)?(?: with)?(?: exit)? code:? (?P<code>\d+)")
_ENDED = re.compile(r"(?i)has exited, failing site start|terminated during site startup|has finished running with exit")
_NO_PING = re.compile(r"(?i)didn.t respond to HTTP pings on port:? ?(?P<port>\d+)|site startup probe failed")
_TOO_LATE = re.compile(r"(?i)did not start within expected time limit(?: of (?P<limit>[\d.]+))?|ContainerTimeout")
_GIVEN_UP = re.compile(r"(?i)failed to start site|failing site start|because it failed during startup")
_READY = re.compile(
    r"(?i)site startup probe succeeded|initialized successfully and is ready to serve|^(?:INFO\s*-\s*)?site started"
)
_PLATFORM_LINE = re.compile(
    r"^(?:INFO|WARN(?:ING)?|ERROR)\s+-\s|"
    r"^Container .*(?:for site|is terminat|didn.t respond|image failed|did not start|start method|has finished|spec)|"
    r"^(?:Pulling image|Pull Image|Starting container|Stopping site|Site(?: \w+)*:|Site started|Site startup probe|"
    r"Failed to start site|Establishing network|Swapped with|DockerApiException|Initiating warmup|Waiting for response)"
)
"""Lines written by App Service. All other lines are the app's."""
_MEMORY = re.compile(r"(?i)out of memory|OOMKilled|exceeded memory limit")


@dataclass(frozen=True)
class SiteEvidence:
    """lines: log lines since the deployment, without timestamps. answer: the failed health check, or None. waited:
    seconds."""

    lines: tuple[str, ...]
    answer: AnswerError | None
    waited: float


def is_ready(lines: Iterable[str]) -> bool:
    """Whether the log says that the new container gets requests."""
    return any(_READY.search(line) for line in lines)


def proves_failure(lines: Iterable[str]) -> bool:
    """Whether the log proves that the version does not start."""
    return any(pattern.search(line) for line in lines for pattern in (_ENDED, _NO_PING, _TOO_LATE, _GIVEN_UP, *_PULLS))


def is_unauthorized(lines: Iterable[str]) -> bool:
    """Whether the pull was rejected, which may also be due to a new role assignment."""
    return any(re.search(_PULL[0].pattern, line) for line in lines)


def build_verdict(project: Project, where: str, evidence: SiteEvidence) -> VerdictError:
    """The error for a version that does not serve. Values of the project's environment are redacted."""
    log = [line for line in evidence.lines if not _PLATFORM_LINE.search(line)]
    return redacted_verdict(
        project,
        where,
        _diagnose(project, evidence),
        log,
        exit_status=_exit_status(evidence.lines),
        without_log="See the log stream in the Azure portal.",
    )


def _diagnose(project: Project, evidence: SiteEvidence) -> FailureDiagnosis:
    lines = evidence.lines
    for sign in _PULL:
        for line in lines:
            if match := re.search(sign.pattern, line):
                return FailureDiagnosis(sign.cause.format_map(match.groupdict()), sign.todo, sign.about)
    if any(_MEMORY.search(line) for line in lines):
        todo = "Choose a larger `sku` in [target.webapp], or lower `workers` in [app]."
        return FailureDiagnosis("out of memory: it was killed at the memory limit of its instance", todo, About.MEMORY)
    log_diagnosis = diagnose_log(lines, project.build.requirements)
    if any(_ENDED.search(line) for line in lines):
        return _diagnose_exit(log_diagnosis, _exit_status(lines))
    unhealthy = _diagnose_unhealthy(project, evidence)
    return unhealthy if unhealthy.about is About.GOLDEN else add_log_hint(unhealthy, log_diagnosis)


def _diagnose_exit(log_diagnosis: FailureDiagnosis | None, status: int | None) -> FailureDiagnosis:
    if status is None:
        return log_diagnosis or FailureDiagnosis("its container ended while it started")
    return diagnose_exit(status, log_diagnosis)


def _diagnose_unhealthy(project: Project, evidence: SiteEvidence) -> FailureDiagnosis:
    port, path, answer = project.app.port, project.app.health, evidence.answer
    if isinstance(answer, GoldenError):
        return FailureDiagnosis(answer.what, answer.todo, About.GOLDEN)
    late = next(filter(None, map(_TOO_LATE.search, evidence.lines)), None)
    address = find_logged_address(evidence.lines)
    if late and (address is None or address.reaches(port)):
        return _start_timeout(port, late["limit"], listens=address is not None)
    if any(_NO_PING.search(line) for line in evidence.lines):
        observed = f"nothing responds on port {port}"
        return diagnose_unreachable_port(port, evidence.lines, SILENT, observed=observed)
    if answer is None or isinstance(answer, NoAnswerError) or answer.status in (502, 503):
        how = "" if answer is None else f": {answer.what}"
        todo = "Increase `start_timeout` in [check] or `rollout_timeout` in [target.webapp]."
        return FailureDiagnosis(f"it does not serve{format_wait('after', evidence.waited)}{how}", todo, About.HEALTH)
    return diagnose_unhealthy(path, f"{path} {answer.what}")


def _start_timeout(port: int, limit: str | None, *, listens: bool) -> FailureDiagnosis:
    """listens: the log says that the server listens there."""
    within = f" within {float(limit):.0f} s, the start limit of App Service" if limit else " in time"
    sooner = "let the app start faster" if listens else f"make the server listen on 0.0.0.0:{port} (PORT is {port})"
    todo = f"Increase `start_timeout` in [check] of mldeploy.toml, or {sooner}."
    return FailureDiagnosis(f"nothing responds on port {port}{within}", todo, About.PORT)


def _exit_status(lines: Sequence[str]) -> int | None:
    for line in reversed(lines):
        if match := _EXIT.search(line):
            return int(match["code"])
    return None
