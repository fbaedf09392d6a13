"""Why a revision cannot serve: from Cloud Run's conditions, the log and the app's answers.

https://cloud.google.com/run/docs/troubleshooting
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
from mldeploy.app.listen_address import SILENT, diagnose_unreachable_port
from mldeploy.app.log_causes import diagnose_log
from mldeploy.app.verdict import VerdictError, redacted_verdict
from mldeploy.config.settings import Project

_SIGNS = (
    Sign(
        r"(?i)(?:Service Agent|must have permission to read the image|IMAGE_UNAUTHORIZED|"
        r"CONTAINER_PERMISSION_DENIED)",
        "the image cannot be pulled: Cloud Run's service agent may not read the repository",
        "Grant it `roles/artifactregistry.reader` on the repository: service-PROJECT_NUMBER@serverless-robot-prod."
        "iam.gserviceaccount.com. In the same project it has it unless somebody took it away.",
    ),
    Sign(
        r"(?i)Image '[^']+' not found|CONTAINER_MISSING",
        "the image cannot be pulled: it is no longer in the repository",
        "Deploy again to push it. Check whether a clean-up policy deletes it (`keep_images`).",
    ),
    Sign(
        r"(?i)must support amd64/linux",
        "the image cannot be run: it is not for linux/amd64",
        'Set `platform = "linux/amd64"` in [build] of mldeploy.toml, and deploy again.',
    ),
    Sign(
        r"(?i)Permission denied on secret:? (?P<secret>\S+)",
        "the secret {secret} cannot be read by the app's service account",
        "Grant it roles/secretmanager.secretAccessor on that secret. mldeploy does so unless `service_account` is set.",
    ),
    Sign(
        r"(?i)Secret (?P<secret>\S+) was not found",
        "the secret {secret} does not exist, or has no such version",
        "Create it in Secret Manager, or correct `secrets` in [target.cloudrun].",
    ),
    Sign(
        r"(?i)(?P<reason>[^.]*\bquota\b[^.]*)",
        "a quota of the project does not suffice: {reason}",
        "Request an increase (console: IAM & Admin, Quotas), lower `max`, `cpu` or `memory` in [target.cloudrun], or "
        "choose another region.",
    ),
)
_MEMORY = re.compile(
    r"(?i)Memory limit of (?P<limit>[\d.]+ ?\w+) exceeded(?: with (?P<used>[\d.]+ ?\w+) used)?|out of memory"
)
_EXIT = re.compile(r"(?i)Container called exit\((?P<code>\d+)\)")
_SIGNAL = re.compile(r"(?i)(?:terminated on|uncaught) signal:? (?P<signal>\d+)")
_PROBE = re.compile(r"(?i)startup probe checks|startup http probe failed")
_PORT = re.compile(r"(?i)failed to start and listen on the port|startup probe")


@dataclass(frozen=True)
class CloudRunEvidence:
    """complaint: Cloud Run's message. answer: the error of the app's answer, None if it was not asked.

    log: the app's lines. system: Cloud Run's lines about the container.
    """

    revision: str
    complaint: str = ""
    answer: AnswerError | None = None
    log: Sequence[str] = ()
    system: Sequence[str] = ()

    @property
    def exit_status(self) -> int | None:
        """Of the last container that ended; None if none is known to have ended."""
        for line in reversed(self.system):
            if match := _EXIT.search(line):
                return int(match["code"])
            if match := _SIGNAL.search(line):
                return 128 + int(match["signal"])
        return None


def build_verdict(project: Project, evidence: CloudRunEvidence) -> VerdictError:
    """The error for a revision that may not get traffic. Values of the project's environment are redacted."""
    return redacted_verdict(
        project,
        f"revision {evidence.revision}",
        _diagnose(project, evidence),
        evidence.log,
        exit_status=evidence.exit_status,
        without_log="See the revision's log in the Google Cloud console.",
    )


def _diagnose(project: Project, evidence: CloudRunEvidence) -> FailureDiagnosis:
    if diagnosis := match_signs(_SIGNS, evidence.complaint):
        return diagnosis
    memory = next(filter(None, map(_MEMORY.search, (*evidence.system, evidence.complaint))), None)
    if memory:
        return _out_of_memory(memory)
    logged = diagnose_log(evidence.log, project.build.requirements)
    if evidence.exit_status is not None and evidence.answer is None:
        return diagnose_exit(evidence.exit_status, logged)
    if evidence.answer is not None:
        return _diagnose_answer(project, evidence.answer, logged)
    if _PORT.search(evidence.complaint):
        return add_log_hint(_diagnose_start(project, evidence), logged)
    return FailureDiagnosis(f"Cloud Run does not start it: {evidence.complaint or 'it gives no reason'}")


def _out_of_memory(match: re.Match[str]) -> FailureDiagnosis:
    used = f" ({match['used'] or 'more than all'} of {match['limit']})" if match["limit"] else ""
    todo = "Raise `memory` in [app], or in [target.cloudrun]; fewer `workers` in [app] need less."
    return FailureDiagnosis(f"out of memory: it was killed at the limit of its instance{used}", todo, About.MEMORY)


def _diagnose_start(project: Project, evidence: CloudRunEvidence) -> FailureDiagnosis:
    """It neither ended nor became healthy in time."""
    port, path = project.app.port, project.app.health
    if any(_PROBE.search(each) for each in (evidence.complaint, *evidence.system)):
        todo = (
            f"Let {path} answer 200 on 0.0.0.0:{port} (PORT is {port}), or give it longer with `start_timeout` in "
            "[check] of mldeploy.toml (240 s at most on Cloud Run)."
        )
        return FailureDiagnosis(f"{path} on port {port} did not become healthy in time", todo, About.HEALTH)
    return diagnose_unreachable_port(port, tuple(evidence.log), SILENT, observed=f"nothing listens on port {port}")


def _diagnose_answer(project: Project, answer: AnswerError, logged: FailureDiagnosis | None) -> FailureDiagnosis:
    if isinstance(answer, GoldenError):
        return FailureDiagnosis(answer.what, answer.todo, About.GOLDEN)
    if isinstance(answer, NoAnswerError):
        todo = "See `mldeploy logs --target cloudrun`, and check `ingress` and the network between here and Cloud Run."
        return add_log_hint(FailureDiagnosis(f"does not answer: {answer.what}", todo, About.HEALTH), logged)
    return add_log_hint(diagnose_unhealthy(project.app.health, f"{project.app.health} {answer.what}"), logged)
