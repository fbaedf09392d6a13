"""Ask a revision at the URL of its tag, before it gets traffic: its health, then the golden row."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from mldeploy.app.client import AnswerError, AppClient, GoldenRow, NoAnswer, NoAnswerError
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.gcp.cloudrun.asking import FORBIDDEN, find_health_error, open_client
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.invoker import is_public
from mldeploy.providers.gcp.cloudrun.logs import RunLogLine, RunLogs, split_log
from mldeploy.providers.gcp.cloudrun.services import CloudRunRevisionInfo
from mldeploy.providers.gcp.cloudrun.verdict import CloudRunEvidence, build_verdict
from mldeploy.providers.gcp.errors import GcpDeniedError, GcpError

POLL_SECONDS = 0.5
REACH_SECONDS = 90.0
"""A new tag's URL answers 404 until Cloud Run's front ends know it, and a new permission takes as long."""
LOG_SECONDS, LOG_LINES = 15.0, 60
"""So late the last lines of a container become visible."""
HIDDEN = 404
"""What Cloud Run answers from outside of the allowed networks: https://cloud.google.com/run/docs/securing/ingress"""
_LATE_STATUSES = (*FORBIDDEN, 404, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class RevisionTrial:
    """The trial of one app's new revision. golden: None without a golden row: then its health must do.

    ingress: from where the service can be reached.
    """

    cloud: CloudRunCloud
    project: Project
    monitor: Monitor
    golden: GoldenRow | None
    ingress: str = "all"

    @property
    def digest(self) -> str:
        return trial_digest(self.golden)

    def ask(self, revision: str, url: str, audience: str) -> None:
        """Return once the revision has answered as it must. Raises VerdictError, CredentialsError, DeniedError."""
        public = is_public(self.cloud)
        with open_client(self.cloud, url, audience, public=public, monitor=self.monitor) as client:
            self._wait_until_healthy(client, revision)
            if self.golden is None:
                return
            self.monitor.progress(Progress("", f"sending the golden row to {revision}"))
            try:
                self.golden.check(client)
            except AnswerError as error:
                raise build_verdict(self.project, self.collect(revision, error)) from error

    def collect(
        self, revision: str, answer: AnswerError | None = None, info: CloudRunRevisionInfo | None = None
    ) -> CloudRunEvidence:
        """The evidence against a revision. Reads its log until it stops growing: its end may come late."""
        lines: list[RunLogLine] = []
        logs = RunLogs(self.cloud, revision)
        for _ in self.monitor.attempts(every=POLL_SECONDS, within=LOG_SECONDS):
            before, lines = lines, logs.last(LOG_LINES)
            if lines and lines == before and (answer is not None or any(each.system for each in lines)):
                break
        log, system = split_log(lines)
        complaint = f"{info.reason} {info.message}".strip() if info else ""
        return CloudRunEvidence(revision, complaint, answer, log, system)

    def _wait_until_healthy(self, client: AppClient, revision: str) -> None:
        failure: AnswerError | None = None
        for _ in self.monitor.attempts(every=POLL_SECONDS, within=REACH_SECONDS):
            self.monitor.progress(Progress("", f"asking {revision} at its own URL"))
            failure = find_health_error(client, self.project.app.health)
            if failure is None:
                return
            if not _may_pass(failure):
                break
        assert failure is not None  # noqa: S101 - the loop runs once at least
        if failure.status in FORBIDDEN:
            raise GcpDeniedError(f"revision {revision}", "run.routes.invoke", self.cloud.service_path) from failure
        if failure.status == HIDDEN and self.ingress != "all":
            what = f"cannot be asked from this machine (ingress is {self.ingress})"
            todo = "Run mldeploy in the VPC network, for example in a job of Cloud Build with a private pool."
            raise GcpError(f"revision {revision}", what, todo) from failure
        raise build_verdict(self.project, self.collect(revision, failure)) from failure


def trial_digest(golden: GoldenRow | None) -> str:
    """What a revision has passed. Another golden row is another trial."""
    if golden is None:
        return "healthy"
    return hashlib.sha256(json.dumps(asdict(golden.golden), sort_keys=True).encode()).hexdigest()[:12]


def _may_pass(error: AnswerError) -> bool:
    if isinstance(error, NoAnswerError):
        return error.silence in (NoAnswer.REFUSED, NoAnswer.CUT, NoAnswer.LATE)
    return error.status in _LATE_STATUSES
