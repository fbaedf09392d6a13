"""Why a version cannot serve: the first cause that is proven, from what App Service, the log and the app itself say.

https://learn.microsoft.com/troubleshoot/azure/app-service/faqs-app-service-linux
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mldeploy.config.settings import Project
from mldeploy.image.client import AnswerError, GoldenError, SilentError
from mldeploy.image.running.causes import About, Diagnosis, Sign, from_exit, from_log, listens_on, unhealthy
from mldeploy.image.running.diagnose import redacted
from mldeploy.image.running.errors import VerdictError

SHOWN_LINES = 20

_PULL = (
    Sign(
        r"(?i)ImagePullUnauthorized|unauthorized: authentication required|pull access denied|token validation failed",
        "the image cannot be pulled: the app's identity may not pull from the registry",
        "Deploy again: the role is assigned anew. If it stays, the registry's policy or a network rule forbids it.",
    ),
    Sign(
        r"(?i)ImagePullNotFound|manifest (?:for \S+ )?(?:unknown|not found)|not found: manifest|name unknown",
        "the image cannot be pulled: it is not in the registry any more",
        "Deploy again: it is pushed anew. A retention policy, or a person, has removed it.",
    ),
    Sign(
        r"(?i)no matching manifest for (?P<platform>[\w/]+)",
        "the image cannot be pulled: it is not for the processor of App Service, {platform}",
        "Set `platform` in [build] of mldeploy.toml, and deploy again.",
    ),
    Sign(
        r"(?i)failed with reason: (?P<said>ImagePull\w+)|(?P<other>Image pull failed): ",
        "the image cannot be pulled",
        "See the registry in the Azure portal; if something blocks the network between the two, let it pass.",
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
_OF_THE_PLATFORM = re.compile(
    r"^(?:INFO|WARN(?:ING)?|ERROR)\s+-\s|"
    r"^Container .*(?:for site|is terminat|didn.t respond|image failed|did not start|start method|has finished|spec)|"
    r"^(?:Pulling image|Pull Image|Starting container|Stopping site|Site(?: \w+)*:|Site started|Site startup probe|"
    r"Failed to start site|Establishing network|Swapped with|DockerApiException|Initiating warmup|Waiting for response)"
)
"""A line that App Service has written; all others are the app's own."""
_MEMORY = re.compile(r"(?i)out of memory|OOMKilled|exceeded memory limit")


@dataclass(frozen=True)
class Evidence:
    """What was seen. lines: of the log since the version was brought, without stamps. answer: how the app failed to
    answer, None if it was not asked. waited: seconds."""

    lines: tuple[str, ...]
    answer: AnswerError | None
    waited: float


def is_ready(lines: Iterable[str]) -> bool:
    """Whether App Service says that it sends requests to the new container."""
    return any(_READY.search(line) for line in lines)


def proves_failure(lines: Iterable[str]) -> bool:
    """Whether the log says that the version does not start."""
    return any(pattern.search(line) for line in lines for pattern in (_ENDED, _NO_PING, _TOO_LATE, _GIVEN_UP, *_PULLS))


def is_unauthorized(lines: Iterable[str]) -> bool:
    """Whether the pull was refused, which a role that is new explains as well."""
    return any(re.search(_PULL[0].pattern, line) for line in lines)


def verdict(project: Project, where: str, evidence: Evidence) -> VerdictError:
    """Why the version is not let in. No value of the project's environment is in it, should the app have logged one."""
    found = _diagnosis(project, evidence)
    own = [line for line in evidence.lines if not _OF_THE_PLATFORM.search(line)]
    log = tuple(redacted(line, project) for line in own[-SHOWN_LINES:])
    todo = found.todo or ("Its log above says more." if log else "See the log stream in the Azure portal.")
    shown = replace(found, cause=redacted(found.cause, project), todo=todo)
    return VerdictError(where, shown, exit_status=_exit_status(evidence.lines), log=log)


def _diagnosis(project: Project, evidence: Evidence) -> Diagnosis:
    lines = evidence.lines
    for sign in _PULL:
        for line in lines:
            if match := re.search(sign.pattern, line):
                return Diagnosis(sign.cause.format_map(match.groupdict()), sign.todo, sign.about)
    if any(_MEMORY.search(line) for line in lines):
        todo = "Choose a larger `sku` in [target.webapp], or lower `workers` in [app]."
        return Diagnosis("out of memory: it was killed at the limit of its machine", todo, About.MEMORY)
    told = from_log(lines, project.build.requirements)
    if any(_ENDED.search(line) for line in lines):
        return _ended(told, _exit_status(lines))
    return _silent(project, evidence, told)


def _ended(told: Diagnosis | None, status: int | None) -> Diagnosis:
    if status is None:
        return told or Diagnosis("its container ended while it started")
    end = from_exit(status)
    return Diagnosis(f"{told.cause} (exit code {status})", told.todo or end.todo, told.about) if told else end


def _silent(project: Project, evidence: Evidence, told: Diagnosis | None) -> Diagnosis:
    port, path, answer = project.app.port, project.app.health, evidence.answer
    if isinstance(answer, GoldenError):
        return Diagnosis(answer.what, answer.todo, About.GOLDEN)
    if told:
        return Diagnosis(f"{path} does not answer; the log says: {told.cause}", told.todo, told.about)
    elsewhere, late = listens_on(evidence.lines), next(filter(None, map(_TOO_LATE.search, evidence.lines)), None)
    if late and not _is_elsewhere(elsewhere, port):
        return _late(port, late["limit"])
    if any(_NO_PING.search(line) for line in evidence.lines):
        return _unheard(port, elsewhere)
    if answer is None or isinstance(answer, SilentError) or answer.status in (502, 503):
        how = "" if answer is None else f": {answer.what}"
        todo = "Give it longer with `start_timeout` in [check], or `rollout_timeout` in [target.webapp]."
        return Diagnosis(f"it does not serve after {evidence.waited:.0f} s{how}", todo, About.HEALTH)
    return unhealthy(path, f"{path} {answer.what}")


def _is_elsewhere(address: str, port: int) -> bool:
    """Whether a server says that it listens, and not where it should."""
    return bool(address) and not address.endswith(f":{port}")


def _late(port: int, limit: str | None) -> Diagnosis:
    within = f" within {float(limit):.0f} s, the limit that App Service was told" if limit else " in time"
    todo = (
        "Give it longer with `start_timeout` in [check] of mldeploy.toml, or let its server listen on "
        f"0.0.0.0:{port} (the variable PORT says {port})."
    )
    return Diagnosis(f"nothing answers on port {port}{within}", todo, About.PORT)


def _unheard(port: int, elsewhere: str) -> Diagnosis:
    but = f", but something listens on {elsewhere}" if elsewhere else ""
    todo = f"Let the server listen on 0.0.0.0:{port} (the variable PORT says {port}), or correct `port` in [app]."
    return Diagnosis(f"nothing answers on port {port}{but}", todo, About.PORT)


def _exit_status(lines: Sequence[str]) -> int | None:
    for line in reversed(lines):
        if match := _EXIT.search(line):
            return int(match["code"])
    return None
