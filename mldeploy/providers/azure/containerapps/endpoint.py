"""The last step: the app responds at its URL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar
from urllib.parse import urlsplit

from mldeploy.app.causes import About, FailureDiagnosis
from mldeploy.app.client import AnswerError, AppClient
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen, Step
from mldeploy.image.types import Image
from mldeploy.providers.azure.containerapps.app import ContainerAppStep, RunningApp
from mldeploy.providers.azure.containerapps.apps import AppInfo
from mldeploy.providers.azure.containerapps.cloud import ContainerAppsCloud
from mldeploy.providers.azure.containerapps.domain import DomainBinding
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings
from mldeploy.providers.azure.errors import translate_errors
from mldeploy.providers.azure.registry import ADMIN_WARNING
from mldeploy.providers.base import SILENT, Address

ENDPOINT_POLL_SECONDS = 1.0
HEALTH_TIMEOUT_SECONDS = 60.0
"""An app that is scaled to zero starts at the request."""
ENDPOINT_TIMEOUT_SECONDS = 180.0


@translate_errors
@dataclass(frozen=True, eq=False)
class ContainerAppsEndpoint(Step[ContainerAppsCloud, Address]):
    """The app responds at its URL, unless only its environment reaches it."""

    kind: ClassVar[str] = "container-app-endpoint"
    title: ClassVar[str] = "Answer at the URL"
    stays: ClassVar[bool] = True

    project: Project
    settings: ContainerAppsSettings
    app: ContainerAppStep
    binding: DomainBinding | None = None

    def key(self) -> Key:
        return Key(self.project.app.name)

    def probe(self, cloud: ContainerAppsCloud, outs: Outputs) -> Seen[Address] | None:
        """Request the health path, unless the app is new in this deployment."""
        running = outs.get(self.app)
        if running is None or running.is_new or running.info.serving is None:
            return None
        out = self._address(running, outs)
        if running.was_changed:
            return Seen(out, ("switched to the new version",))
        if running.info.is_stopped:
            return Seen(out, (SILENT,))
        return Seen(out) if self._check_health(cloud, running.info, outs) is None else Seen(out, (SILENT,))

    def apply(self, cloud: ContainerAppsCloud, outs: Outputs, seen: Seen[Address] | None, monitor: Monitor) -> Address:
        """Raises VerdictError if the URL does not respond although the version has started."""
        running = outs[self.app]
        address, failure = self._address(running, outs), None
        for _ in monitor.attempts(every=ENDPOINT_POLL_SECONDS, within=ENDPOINT_TIMEOUT_SECONDS):
            monitor.progress(Progress("", f"checking {address.url}"))
            failure = self._check_health(cloud, running.info, outs)
            if failure is None:
                return address
        todo = "See `mldeploy logs --target containerapps` and `mldeploy status`."
        cause = f"does not respond: {failure.what if failure else 'no request was sent'}"
        raise VerdictError(address.url, FailureDiagnosis(cause, todo, About.HEALTH))

    @staticmethod
    def undo(cloud: ContainerAppsCloud, key: Key, monitor: Monitor) -> bool:
        """Nothing to do: the URL is deleted with the app."""
        return False

    def _check_health(self, cloud: ContainerAppsCloud, app: AppInfo, outs: Outputs) -> AnswerError | None:
        """Ask by the domain at the address of the environment: the DNS records may not be known everywhere."""
        if self.settings.is_internal:
            return None
        url, address = app.url, outs.get(self.binding) if self.binding else None
        if address:
            port = urlsplit(url).port
            url = f"https://{address}:{port}" if port else f"https://{address}"
        with AppClient(url, cloud.account.verify, host=self.settings.domain) as client:
            try:
                client.health(self.project.app.health, within=HEALTH_TIMEOUT_SECONDS)
            except AnswerError as error:
                return error
        return None

    def _address(self, running: RunningApp, outs: Outputs) -> Address:
        image = running.image or Image("", "", "", 0, ())
        replaced = running.was_changed and not running.is_new
        remarks = tuple(self._remarks(running))
        info, domain = running.info, self.settings.domain
        if self.binding and outs.get(self.binding):  # what is known of the app may be from before
            info = replace(info, hosts={**info.hosts, domain: domain})
        url = app_url(info, domain)
        return Address(url, image, remarks, running.gap if replaced else None)

    def _remarks(self, running: RunningApp) -> Iterator[str]:
        if remark := self.settings.remark_on_size(self.project):
            yield remark
        serving = running.info.serving
        if running.seconds:
            zero = serving is not None and serving.spec.replicas[0] == 0
            again = "; min is 0, so the first request after a pause waits for a start, too" if zero else ""
            yield f"Cold start: the new version answered {running.seconds:.0f} s after it was sent{again}"
        if running.gap:
            yield "The port changed. It holds for all versions, so that requests failed until the new one got them"
        if self.settings.is_internal:
            yield "ingress is internal: this machine could not send the golden row; the readiness probe decided"
        if self.settings.by_admin:
            yield ADMIN_WARNING


def app_url(app: AppInfo, domain: str) -> str:
    """The app's URL: at its own domain once that is bound."""
    if domain and app.hosts.get(domain):
        port = urlsplit(app.url).port
        return f"https://{domain}:{port}" if port else f"https://{domain}"
    return app.url
