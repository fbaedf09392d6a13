"""Diagnose why a version does not serve: from its revision, its replicas, both logs, and the app's responses.

https://learn.microsoft.com/azure/container-apps/troubleshoot-container-start-failures
https://learn.microsoft.com/azure/container-apps/troubleshoot-image-pull-failures
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
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
from mldeploy.app.client import AnswerError, GoldenError, NoAnswerError
from mldeploy.app.listen_address import SILENT, diagnose_unreachable_port, format_wait
from mldeploy.app.log_causes import diagnose_log
from mldeploy.app.verdict import VerdictError, redacted_verdict
from mldeploy.config.settings import Project
from mldeploy.providers.azure.containerapps.logs import ReplicaInfo, SystemEvent

_SIGNS = (
    Sign(
        r"(?i)ImagePullUnauthorized|UNAUTHORIZED: authentication required|failed with unauthorized error|"
        r"DENIED: requested access|unable to pull image using Managed identity",
        "the image cannot be pulled: the app's identity may not pull from the registry",
        "Deploy again to assign the role again. If it fails again, check the registry's policies and network rules.",
    ),
    Sign(
        r"(?i)MANIFEST_UNKNOWN|NAME_UNKNOWN|manifest (?:for \S+ )?(?:unknown|not found)",
        "the image cannot be pulled: it is no longer in the registry",
        "Deploy again to push it. Check whether a retention policy deletes it.",
    ),
    Sign(
        r"(?i)ImagePullFailure|ImagePullBackOff|ErrImagePull|Field '[^']*\.image' is invalid|"
        r"image '[^']+' not found|pull image failed",
        "the image cannot be pulled",
        "See the registry in the Azure portal. Check whether network rules block Container Apps.",
    ),
    Sign(
        r"(?i)unable to (?:get value using Managed identity|fetch secret)",
        "a secret cannot be read from Key Vault by the app's identity",
        "Assign the role Key Vault Secrets User on that vault to the app's identity, or correct the URI in `secrets`.",
    ),
)
_PULL = re.compile(_SIGNS[0].pattern)
_EXIT = re.compile(r"(?i)terminated with exit code '?(?P<code>\d+)'?|exit(?:ed)?(?: with)? code:? '?(?P<other>\d+)'?")
_MEMORY = re.compile(r"(?i)OOMKilled|out of memory")
_PORT = re.compile(
    r"(?i)TargetPort (?P<wanted>\d+) does not match (?:any of )?the listening ports?:? (?P<ports>\[[^\]]*\]|\d+)"
)
_CRASHED = re.compile(r"(?i)CrashLoopBackOff|ContainerBackOff|ContainerCrashing|Container crashing")


@dataclass(frozen=True)
class RevisionEvidence:
    """lines: of the console log, without timestamps. error: what Azure says of the revision or the operation.

    answer: the failed health check, or None. waited: seconds.
    """

    lines: tuple[str, ...] = ()
    events: tuple[SystemEvent, ...] = ()
    replicas: tuple[ReplicaInfo, ...] = ()
    error: str = ""
    answer: AnswerError | None = None
    waited: float = 0.0

    @property
    def platform(self) -> tuple[str, ...]:
        """Everything that the platform says, the newest last."""
        events = (f"{each.reason}: {each.text}" for each in self.events)
        return (*events, *(each.details for each in self.replicas if each.details), *filter(None, (self.error,)))

    @property
    def exit_status(self) -> int | None:
        """The exit status of the app's process, as the platform reports it."""
        for text in reversed(self.platform):
            if match := _EXIT.search(text):
                return int(match["code"] or match["other"])
        return None


def is_pull_refused(text: str) -> bool:
    """Whether a pull was rejected, which may also be due to a new role assignment."""
    return _PULL.search(text) is not None


def explains_failure(text: str) -> bool:
    """Whether the error of an operation says why the version cannot start."""
    return match_signs(_SIGNS, text) is not None


def proves_failure(evidence: RevisionEvidence) -> bool:
    """Whether the version certainly does not start: its container has ended, or cannot be created."""
    if any(_CRASHED.search(text) or _PORT.search(text) for text in evidence.platform):
        return True
    if match_signs(_SIGNS, "\n".join(evidence.platform)):
        return True
    return evidence.exit_status is not None and not any(each.ready for each in evidence.replicas)


def build_verdict(project: Project, where: str, evidence: RevisionEvidence) -> VerdictError:
    """The error for a version that does not serve. Values of the project's environment are redacted."""
    return redacted_verdict(
        project,
        where,
        _diagnose(project, evidence),
        evidence.lines,
        exit_status=evidence.exit_status,
        without_log="See the revision and its log stream in the Azure portal.",
    )


def _diagnose(project: Project, evidence: RevisionEvidence) -> FailureDiagnosis:
    if isinstance(evidence.answer, GoldenError):
        return FailureDiagnosis(evidence.answer.what, evidence.answer.todo, About.GOLDEN)
    for text in evidence.platform:
        if diagnosis := match_signs(_SIGNS, text):
            return diagnosis
    if any(_MEMORY.search(text) for text in evidence.platform):
        todo = "Increase `memory` in [target.containerapps] or [app], or lower `workers` in [app]."
        return FailureDiagnosis("out of memory: it was killed at the memory limit of its replica", todo, About.MEMORY)
    log_diagnosis = diagnose_log(evidence.lines, project.build.requirements)
    if evidence.exit_status is not None:
        return diagnose_exit(evidence.exit_status, log_diagnosis)
    if any(_CRASHED.search(text) for text in evidence.platform):
        return log_diagnosis or FailureDiagnosis("its container ends while it starts")
    unhealthy = _diagnose_unhealthy(project, evidence)
    return add_log_hint(unhealthy, log_diagnosis)


def _diagnose_unhealthy(project: Project, evidence: RevisionEvidence) -> FailureDiagnosis:
    port, path, answer = project.app.port, project.app.health, evidence.answer
    if mismatch := next(filter(None, map(_PORT.search, evidence.platform)), None):
        observed = f"nothing responds on port {port}, but something listens on {_listed_ports(mismatch)}"
        return diagnose_unreachable_port(port, evidence.lines, SILENT, observed=observed)
    if answer is None or isinstance(answer, NoAnswerError) or answer.status in (502, 503, 504):
        how = f": {answer.what}" if answer else f": {evidence.error}" if evidence.error else ""
        todo = "Increase `start_timeout` in [check] or `rollout_timeout` in [target.containerapps]."
        return FailureDiagnosis(f"it does not serve{format_wait('after', evidence.waited)}{how}", todo, About.HEALTH)
    return diagnose_unhealthy(path, f"{path} {answer.what}")


def _listed_ports(mismatch: re.Match[str]) -> str:
    return ", ".join(mismatch["ports"].strip("[]").split())


def select_events(
    events: Iterable[SystemEvent], revision: str, before: Collection[SystemEvent]
) -> tuple[SystemEvent, ...]:
    """The events of a revision that are not among the earlier ones."""
    return tuple(each for each in events if each.revision in (revision, "") and each not in before)
