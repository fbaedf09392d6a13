"""Watch a revision start until it serves or fails, at an address that only it answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from azure.core.exceptions import HttpResponseError
from azure.mgmt.appcontainers.models import ContainerApp

from mldeploy.app.client import AnswerError, AppClient, GoldenRow
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key
from mldeploy.providers.azure.containerapps.apps import RevisionInfo, get_app, get_revision
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.containerapps.logs import AppLogs, ReplicaInfo, SystemEvent, list_replicas, strip_stamp
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.containerapps.verdict import (
    RevisionEvidence,
    build_verdict,
    explains_failure,
    proves_failure,
    select_events,
)
from mldeploy.providers.azure.errors import error_details
from mldeploy.providers.azure.waiting import RunningOperation

START_POLL_SECONDS = 0.5
HEALTH_TIMEOUT_SECONDS = 10.0
SETTLE_SECONDS = 3.0
"""Time for the last lines of a container that has ended to arrive."""
_FRONT_END_STATUSES = (0, 404, 502, 503, 504)
"""Statuses of the environment's ingress while no replica responds; 404 while it does not know the revision yet."""
_ENDED = frozenset({"Failed", "Degraded"})


@dataclass
class RevisionStartup:
    """The start of one revision.

    golden: the expected response; not sent for versions that have served.

    by_probe: the readiness probe is asked instead of the address, which this machine does not reach.
    """

    cloud: ContainerAppsCloud
    project: Project
    settings: ContainerAppsSettings
    key: Key
    revision: str
    monitor: Monitor
    golden: GoldenRow | None = None
    by_probe: bool = False
    _before: frozenset[SystemEvent] = frozenset()
    _logs: AppLogs = field(init=False)
    _running_since: float | None = None
    """Seconds at which the version first ran without being healthy."""

    def __post_init__(self) -> None:
        self._logs = AppLogs(self.cloud, self.key)

    def mark(self) -> None:
        """Ignore the events until now: those of an earlier start of the same revision."""
        self._before = frozenset(self._logs.events(self._event_address()))

    def watch(self, operation: RunningOperation[ContainerApp] | None = None) -> float:
        """Return once the version serves and the operation has ended; in seconds, how long the start took.

        Raises VerdictError at the first proven cause, SDK errors of the operation that are about something else.
        """
        began, answer, seconds = time.monotonic(), None, 0.0
        for waited in self.monitor.attempts(every=START_POLL_SECONDS, within=self.settings.rollout_timeout):
            is_done = self._check_operation(operation, waited)
            revision = get_revision(self.cloud, self.key, self.revision)
            answer = self._check_health(revision)
            self.monitor.progress(Progress("", _progress_text(revision, answer)))
            if answer is None and revision is not None:
                seconds = seconds or time.monotonic() - began
                if is_done:
                    self._check_golden(revision)
                    return seconds
            elif revision is not None:
                self._check_failure(revision, answer, waited)
        raise self._verdict(self._evidence(answer, self.settings.rollout_timeout))

    def check_health(self, url: str) -> AnswerError | None:
        """Request the health path. Returns the error, or None if the app is healthy."""
        with AppClient(url, self.cloud.account.verify, self.monitor) as app:
            try:
                app.health(self.project.app.health, within=HEALTH_TIMEOUT_SECONDS)
            except AnswerError as error:
                return error
        return None

    def _check_operation(self, operation: RunningOperation[ContainerApp] | None, waited: float) -> bool:
        if operation is None:
            return True
        try:
            return operation.is_done()
        except HttpResponseError as error:
            text = error_details(error)[1]
            evidence = self._evidence(None, waited, error=text)
            if explains_failure(text) or proves_failure(evidence):
                raise self._verdict(evidence) from error
            raise

    def _check_health(self, revision: RevisionInfo | None) -> AnswerError | None:
        """None if it is healthy, or is not there yet. An internal app is judged by its readiness probe."""
        if revision is None or not revision.fqdn:
            return None if revision is None else AnswerError(self.revision, "has no address yet")
        if not self.by_probe:
            return self.check_health(revision.url)
        if any(each.ready for each in list_replicas(self.cloud, self.key, self.revision)):
            return None
        return AnswerError(self.revision, f"its readiness probe, {self.project.app.health}, does not succeed")

    def _check_failure(self, revision: RevisionInfo, answer: AnswerError | None, waited: float) -> None:
        """Raises VerdictError if it is certain that the version does not serve."""
        replicas = list_replicas(self.cloud, self.key, self.revision)
        troubled = [each for each in replicas if each.restarts or each.running in ("Terminated", "Waiting")]
        if troubled or revision.running in _ENDED or revision.provisioning == "Failed":
            evidence = self._evidence(answer, waited)
            if proves_failure(evidence) or revision.provisioning == "Failed":
                raise self._verdict(self._settled(answer, waited))
        if answer is not None and answer.status not in _FRONT_END_STATUSES:
            # The app answers, but not as it should: it has its start timeout, and no more.
            self._running_since = waited if self._running_since is None else self._running_since
            if waited - self._running_since > self.project.check.start_timeout:
                raise self._verdict(self._evidence(answer, waited - self._running_since))

    def _check_golden(self, revision: RevisionInfo) -> None:
        """Raises VerdictError if the app does not answer the golden row as expected."""
        if self.golden is None or self.by_probe:
            return
        with AppClient(revision.url, self.cloud.account.verify, self.monitor) as app:
            try:
                self.golden.check(app)
            except AnswerError as error:
                raise self._verdict(self._evidence(error, 0.0)) from error

    def _settled(self, answer: AnswerError | None, waited: float) -> RevisionEvidence:
        """Read the logs until they stop growing, to include the app's last lines."""
        evidence = self._evidence(answer, waited)
        for _ in self.monitor.attempts(every=START_POLL_SECONDS, within=SETTLE_SECONDS):
            before, evidence = evidence, self._evidence(answer, waited)
            if evidence.lines and evidence.lines == before.lines and evidence.exit_status is not None:
                break
        return evidence

    def _evidence(self, answer: AnswerError | None, waited: float, error: str = "") -> RevisionEvidence:
        revision = get_revision(self.cloud, self.key, self.revision)
        replicas = list_replicas(self.cloud, self.key, self.revision) if revision else ()
        events = select_events(self._logs.events(self._event_address()), self.revision, self._before)
        about = error or (revision.error if revision else "")
        return RevisionEvidence(tuple(self._lines(replicas)), events, replicas, about, answer, waited)

    def _lines(self, replicas: tuple[ReplicaInfo, ...]) -> Iterator[str]:
        for each in replicas[:1]:
            yield from map(strip_stamp, self._logs.console(each))

    def _event_address(self) -> str:
        existing = get_app(self.cloud, self.key)
        return (existing.properties.event_stream_endpoint if existing and existing.properties else "") or ""

    def _verdict(self, evidence: RevisionEvidence) -> VerdictError:
        return build_verdict(self.project, self.revision, evidence)


def _progress_text(revision: RevisionInfo | None, answer: AnswerError | None) -> str:
    if revision is None or revision.provisioning == "Provisioning":
        return "Container Apps starts the new version"
    return "waiting until the app responds" if answer else "the new version answers at its own address"
