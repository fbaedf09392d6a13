"""Watch a version start on a site or a slot until it serves or fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mldeploy.app.causes import About, FailureDiagnosis
from mldeploy.app.client import AnswerError, AppClient, GoldenRow
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.azure.cloud import enum_text
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.logs import LogMark, SiteLogs, strip_timestamp
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.azure.webapp.sites import SiteSlot, list_references, restart_site
from mldeploy.providers.azure.webapp.verdict import (
    SiteEvidence,
    build_verdict,
    is_ready,
    is_unauthorized,
    proves_failure,
)

START_POLL_SECONDS = 0.5
HEALTH_TIMEOUT_SECONDS = 5.0
ROLE_SECONDS = 600.0
"""Time for a new role assignment to reach the registry.

https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
"""
RESTART_EVERY = 5.0
"""Restart after a rejected pull: App Service itself retries more slowly."""
QUIET_SECONDS = 120.0
"""Accept a responding URL after this time, even if the log does not say which container responds."""

_FRONT_END_STATUSES = (0, 403, 502, 503, 504)
"""Statuses of App Service's front end while no container responds."""


@dataclass
class SiteStartup:
    """The start of one version. beside: another version responds at the same URL meanwhile.

    Create it before the deployment: existing log lines are ignored.
    """

    cloud: WebappCloud
    project: Project
    settings: WebappSettings
    site_slot: SiteSlot
    monitor: Monitor
    golden: GoldenRow | None
    beside: bool
    stored: frozenset[str] = frozenset()
    """The variables of `mldeploy secrets`."""
    _mark: LogMark = field(init=False)
    _restarted: float = -RESTART_EVERY
    _running_since: float | None = None
    """Seconds at which the version first ran without being healthy."""

    def __post_init__(self) -> None:
        self._mark = SiteLogs(self.cloud, self.site_slot).mark()

    def watch(self, url: str) -> None:
        """Return once the version serves. Raises VerdictError at the first proven cause."""
        answer: AnswerError | None = None
        for waited in self.monitor.attempts(every=START_POLL_SECONDS, within=self.settings.rollout_timeout):
            lines = self._new_lines()
            self._check_log(lines, answer, waited)
            answer = self.check_health(url)
            self.monitor.progress(Progress("", _progress_text(lines, answer)))
            is_up = answer is None and (not self.beside or is_ready(lines) or waited > QUIET_SECONDS)
            if is_up and self._await_secrets(waited):
                continue
            if is_up:
                self._check_answers(url)
                return
            if answer is not None and (is_ready(lines) or answer.status not in _FRONT_END_STATUSES):
                # App Service accepts any response; the health path is stricter.
                self._running_since = waited if self._running_since is None else self._running_since
                if waited - self._running_since > self.project.check.start_timeout:
                    raise self._verdict(lines, answer, waited - self._running_since)
        raise self._verdict(self._new_lines(), answer, self.settings.rollout_timeout)

    def _check_log(self, lines: tuple[str, ...], answer: AnswerError | None, waited: float) -> None:
        if is_unauthorized(lines) and waited < ROLE_SECONDS and not self.settings.by_admin:
            self.monitor.progress(Progress("", "waiting until the registry accepts the app's role"))
            self._restart(waited)
        elif proves_failure(lines) and not self._await_secrets(waited):
            raise self._verdict(self._settled_lines(lines), answer, waited)

    def _restart(self, waited: float) -> None:
        if waited - self._restarted >= RESTART_EVERY:
            self._restarted = waited
            self._mark = SiteLogs(self.cloud, self.site_slot).mark()
            restart_site(self.cloud, self.site_slot)

    def _await_secrets(self, waited: float) -> bool:
        """Whether a stored secret cannot be read yet, since the app's role is new. The site is then started again."""
        if not self.stored or waited > ROLE_SECONDS or not any(self._unresolved_secrets(self.stored)):
            return False
        self.monitor.progress(Progress("", "waiting until the key vault accepts the app's role"))
        self._restart(waited)
        return True

    def _settled_lines(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        """Read the log until it stops growing, to include the app's last lines."""
        for _ in self.monitor.attempts(every=START_POLL_SECONDS, within=4 * START_POLL_SECONDS):
            before, lines = lines, self._new_lines()
            if lines == before:
                break
        return lines

    def _new_lines(self) -> tuple[str, ...]:
        lines = SiteLogs(self.cloud, self.site_slot).read()
        return tuple(strip_timestamp(line) for line in self._mark.added(lines or ()))

    def check_health(self, url: str) -> AnswerError | None:
        """Request the health path. Returns the error, or None if the app is healthy."""
        with AppClient(url, self.cloud.account.verify) as app:
            try:
                app.health(self.project.app.health, within=HEALTH_TIMEOUT_SECONDS)
            except AnswerError as error:
                return error
        return None

    def _check_answers(self, url: str) -> None:
        """Check the golden row and the secrets. Raises VerdictError."""
        if self.golden is not None:
            with AppClient(url, self.cloud.account.verify) as app:
                try:
                    self.golden.check(app)
                except AnswerError as error:
                    raise self._verdict(self._new_lines(), error, 0.0) from error
        named = frozenset() if self.site_slot.slot else frozenset(self.settings.secrets)
        for name, why in self._unresolved_secrets(named | self.stored):
            todo = "Assign the role Key Vault Secrets User on that vault to the app's identity, or correct the URI."
            cause = f"the secret of the variable {name} cannot be read from Key Vault: {why}"
            raise VerdictError(str(self.site_slot), FailureDiagnosis(cause, todo, About.START))

    def _unresolved_secrets(self, names: frozenset[str]) -> Iterator[tuple[str, str]]:
        """Names and status of those secrets that Key Vault does not return."""
        for each in list_references(self.cloud, self.site_slot) if names else ():
            status = enum_text(each.properties.status) if each.properties else ""
            name = each.name or (each.id or "").rpartition("/")[2]
            if name in names and status not in ("", "Resolved", "Initialized"):
                yield name, status

    def _verdict(self, lines: tuple[str, ...], answer: AnswerError | None, waited: float) -> VerdictError:
        return build_verdict(self.project, str(self.site_slot), SiteEvidence(lines, answer, waited))


def _progress_text(lines: Sequence[str], answer: AnswerError | None) -> str:
    if answer is None:
        return "waiting until App Service sends requests to the new version"
    if any("ulling image" in line for line in lines) and not any("tarting container" in line for line in lines):
        return "App Service is pulling the image"
    return "waiting until the app responds"
