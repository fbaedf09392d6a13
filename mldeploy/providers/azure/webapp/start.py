"""Watching a version start, on a site or a slot, until it serves, or until it is proven that it will not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.client import AnswerError, AppClient, GoldenRow
from mldeploy.image.running.causes import About, Diagnosis
from mldeploy.image.running.errors import VerdictError
from mldeploy.providers.azure.errors import found
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.logs import Log, fresh, said
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.azure.webapp.sites import Place, restart
from mldeploy.providers.azure.webapp.verdict import Evidence, is_ready, is_unauthorized, proves_failure, verdict
from mldeploy.providers.azure.words import word

LOOK_EVERY = 0.5
ASK_SECONDS = 5.0
ROLE_SECONDS = 300.0
"""So long a role that has just been assigned may be unknown to the registry."""
RESTART_EVERY = 5.0
"""App Service tries a pull that was refused again by itself, but takes its time."""
QUIET_SECONDS = 120.0
"""So long the URL answers without a word in the log about who answers: then there is none."""

_FROM_THE_FRONT = (0, 403, 502, 503, 504)
"""What is answered where no container does."""


@dataclass
class Start:
    """One version that starts. url: where it will answer. beside: another one answers there meanwhile.

    Made before the version is brought: what the log says by then is about others.
    """

    cloud: WebappCloud
    project: Project
    settings: WebappSettings
    place: Place
    monitor: Monitor
    golden: GoldenRow | None
    beside: bool
    _before: Sequence[str] = field(init=False)
    _restarted: float = 0.0
    _up: float | None = None
    """Since when the version runs, without being healthy."""

    def __post_init__(self) -> None:
        self._before = Log(self.cloud, self.place).lines()

    def watch(self, url: str) -> None:
        """Return once the version serves. Raises VerdictError at the first proven cause."""
        answer: AnswerError | None = None
        for waited in self.monitor.attempts(every=LOOK_EVERY, within=self.settings.rollout_timeout):
            lines = self._since()
            self._judge(lines, answer, waited)
            answer = self.asked(url)
            self.monitor.progress(Progress("", _told(lines, answer)))
            if answer is None and (not self.beside or is_ready(lines) or waited > QUIET_SECONDS):
                self._check(url)
                return
            if answer is not None and (is_ready(lines) or answer.status not in _FROM_THE_FRONT):
                # App Service is content with any answer, the app's own health path says more.
                self._up = waited if self._up is None else self._up
                if waited - self._up > self.project.check.start_timeout:
                    raise self._verdict(lines, answer, waited - self._up)
        raise self._verdict(self._since(), answer, self.settings.rollout_timeout)

    def _judge(self, lines: tuple[str, ...], answer: AnswerError | None, waited: float) -> None:
        if is_unauthorized(lines) and waited < ROLE_SECONDS and not self.settings.by_admin:
            self.monitor.progress(Progress("", "waiting until the registry knows the app's role"))
            if waited - self._restarted >= RESTART_EVERY:
                self._restarted = waited
                self._before = Log(self.cloud, self.place).lines()
                restart(self.cloud, self.place)
        elif proves_failure(lines):
            raise self._verdict(self._last(lines), answer, waited)

    def _last(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        """The lines with those that the app's end has left a moment later."""
        for _ in self.monitor.attempts(every=LOOK_EVERY, within=4 * LOOK_EVERY):
            before, lines = lines, self._since()
            if lines == before:
                break
        return lines

    def _since(self) -> tuple[str, ...]:
        return tuple(said(line) for line in fresh(self._before, Log(self.cloud, self.place).lines()))

    def asked(self, url: str) -> AnswerError | None:
        """How the app fails to answer; None if it answers."""
        with AppClient(url, self.cloud.account.verify) as app:
            try:
                app.health(self.project.app.health, within=ASK_SECONDS)
            except AnswerError as error:
                return error
        return None

    def _check(self, url: str) -> None:
        """The golden row, and the secrets. Raises VerdictError."""
        if self.golden is not None:
            with AppClient(url, self.cloud.account.verify) as app:
                try:
                    self.golden.ask(app)
                except AnswerError as error:
                    raise self._verdict(self._since(), error, 0.0) from error
        for name, why in self._unresolved():
            todo = "Assign the role Key Vault Secrets User on that vault to the app's identity, or correct the URI."
            cause = f"the secret of the variable {name} cannot be read from Key Vault: {why}"
            raise VerdictError(str(self.place), Diagnosis(cause, todo, About.START))

    def _unresolved(self) -> Iterator[tuple[str, str]]:
        """What Key Vault does not hand out, and why."""
        if not self.settings.secrets or self.place.slot:
            return
        apps, place = self.cloud.web.web_apps, self.place
        listed = found(lambda: list(apps.get_app_settings_key_vault_references(place.group, place.site)))
        for each in listed or ():
            status = word(each.properties.status) if each.properties else ""
            if each.name in self.settings.secrets and status not in ("", "Resolved", "Initialized"):
                yield each.name or "", status

    def _verdict(self, lines: tuple[str, ...], answer: AnswerError | None, waited: float) -> VerdictError:
        return verdict(self.project, str(self.place), Evidence(lines, answer, waited))


def _told(lines: Sequence[str], answer: AnswerError | None) -> str:
    if answer is None:
        return "waiting until App Service sends requests to the new version"
    if any("ulling image" in line for line in lines) and not any("tarting container" in line for line in lines):
        return "App Service pulls the image"
    return "waiting until the app answers"
