"""The last step: the app responds at its URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mldeploy.app.causes import About, FailureDiagnosis
from mldeploy.app.client import AnswerError, AppClient
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.types import Image
from mldeploy.providers.azure.errors import translate_errors
from mldeploy.providers.azure.registry import ADMIN_WARNING
from mldeploy.providers.azure.webapp.autoscale import Autoscale
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.azure.webapp.site import RunningSite, WebApp
from mldeploy.providers.base import Address

ENDPOINT_POLL_SECONDS = 1.0
HEALTH_TIMEOUT_SECONDS = 10.0
ENDPOINT_TIMEOUT_SECONDS = 120.0
"""A site without Always On starts at its first request."""


@translate_errors
@dataclass(frozen=True, eq=False)
class WebappEndpoint(Step[WebappCloud, Address]):
    """The app responds at its public URL."""

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
        """Request the health path, unless the site is new in this deployment."""
        running = outs.get(self.app)
        if running is None or running.is_new:
            return None
        out = self._address(running)
        if running.was_changed:
            return Seen(out, ("switched to the new version",))
        return (
            Seen(out) if self._check_health(cloud, running.url) is None else Seen(out, ("not responding → responding",))
        )

    def apply(self, cloud: WebappCloud, outs: Outputs, seen: Seen[Address] | None, monitor: Monitor) -> Address:
        """Raises VerdictError if the URL does not respond although the version started."""
        running = outs[self.app]
        failure: AnswerError | None = None
        for _ in monitor.attempts(every=ENDPOINT_POLL_SECONDS, within=ENDPOINT_TIMEOUT_SECONDS):
            monitor.progress(Progress("", f"checking {running.url}"))
            failure = self._check_health(cloud, running.url)
            if failure is None:
                return self._address(running)
        todo = "See `mldeploy logs --target webapp` and `mldeploy status`."
        cause = f"does not respond: {failure.what if failure else 'no request was sent'}"
        raise VerdictError(running.url, FailureDiagnosis(cause, todo, About.HEALTH))

    @staticmethod
    def undo(cloud: WebappCloud, key: Key, monitor: Monitor) -> bool:
        """Nothing to do: the URL is deleted with the site."""
        return False

    def _check_health(self, cloud: WebappCloud, url: str) -> AnswerError | None:
        with AppClient(url, cloud.account.verify) as app:
            try:
                app.health(self.project.app.health, within=HEALTH_TIMEOUT_SECONDS)
            except AnswerError as error:
                return error
        return None

    def _address(self, running: RunningSite) -> Address:
        image = running.image or Image("", "", "", 0, ())
        replaced = running.was_changed and not running.is_new
        remarks = []
        if replaced and not self.settings.tier.slots:
            remarks.append(
                f"{self.settings.sku} has no staging slot: updates cause downtime. Use S1 or larger to avoid it"
            )
        if self.settings.by_admin:
            remarks.append(ADMIN_WARNING)
        return Address(running.url, image, tuple(remarks), running.gap if replaced else None)
