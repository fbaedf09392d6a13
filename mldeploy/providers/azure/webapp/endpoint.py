"""The last step: the app answers at its URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.client import AnswerError, AppClient
from mldeploy.image.running.causes import About, Diagnosis
from mldeploy.image.running.errors import VerdictError
from mldeploy.image.types import Image
from mldeploy.providers.azure.answers import speaking
from mldeploy.providers.azure.registry import ADMIN_WARNING
from mldeploy.providers.azure.webapp.autoscale import Autoscale
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.azure.webapp.site import Running, WebApp
from mldeploy.providers.base import Address

ASK_EVERY = 1.0
ASK_SECONDS = 10.0
ANSWER_SECONDS = 120.0
"""A site that is not always on answers its first request only once it has started."""


@speaking
@dataclass(frozen=True, eq=False)
class WebappEndpoint(Step[WebappCloud, Address]):
    """The app answers at its URL, from here."""

    kind: ClassVar[str] = "webapp-endpoint"
    title: ClassVar[str] = "Answer at the URL"
    stays: ClassVar[bool] = True

    project: Project
    settings: WebappSettings
    app: WebApp
    scaling: Autoscale | None = None

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: WebappCloud, outs: Outputs) -> Seen[Address] | None:
        """Asks the health path. What has just begun to serve has not answered before this deployment."""
        running = outs.get(self.app)
        if running is None or running.is_new:
            return None
        out = self._address(running)
        if running.was_changed:
            return Seen(out, ("answered by the old version → by the new one",))
        return Seen(out) if self._failure(cloud, running.url) is None else Seen(out, ("does not answer → answers",))

    def apply(self, cloud: WebappCloud, outs: Outputs, seen: Seen[Address] | None, monitor: Monitor) -> Address:
        """Raises VerdictError if the URL does not answer although the version was seen to serve."""
        running = outs[self.app]
        failure: AnswerError | None = None
        for _ in monitor.attempts(every=ASK_EVERY, within=ANSWER_SECONDS):
            monitor.progress(Progress("", f"asking {running.url}"))
            failure = self._failure(cloud, running.url)
            if failure is None:
                return self._address(running)
        todo = "See `mldeploy logs --target webapp`; `mldeploy status` says what runs."
        cause = f"does not answer: {failure.what if failure else 'nobody was asked'}"
        raise VerdictError(running.url, Diagnosis(cause, todo, About.HEALTH))

    @staticmethod
    def undo(cloud: WebappCloud, key: Key, monitor: Monitor) -> bool:
        """The URL goes with what answers there."""
        return False

    def _failure(self, cloud: WebappCloud, url: str) -> AnswerError | None:
        with AppClient(url, cloud.account.verify) as app:
            try:
                app.health(self.project.app.health, within=ASK_SECONDS)
            except AnswerError as error:
                return error
        return None

    def _address(self, running: Running) -> Address:
        image = running.image or Image("", "", "", 0, ())
        replaced = running.was_changed and not running.is_new
        remarks = []
        if replaced and not self.settings.tier.slots:
            remarks.append(
                f"{self.settings.sku} has no staging slot: versions change in place; from S1 on without a gap"
            )
        if self.settings.by_admin:
            remarks.append(ADMIN_WARNING)
        return Address(running.url, image, tuple(remarks), running.gap if replaced else None)
