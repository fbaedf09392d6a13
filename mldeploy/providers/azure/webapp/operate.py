"""What runs of an app on App Service, and how it is operated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key
from mldeploy.image.client import AnswerError, AppClient
from mldeploy.image.types import Image
from mldeploy.providers.azure import tags
from mldeploy.providers.azure.errors import AzureError, azure_errors
from mldeploy.providers.azure.webapp import autoscale, plan, sites
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.history import Entry, State, of_image
from mldeploy.providers.azure.webapp.logs import Log
from mldeploy.providers.azure.webapp.plan import Plan
from mldeploy.providers.azure.webapp.rollout import Rollout
from mldeploy.providers.azure.webapp.settings import TABLE, WebappSettings
from mldeploy.providers.azure.webapp.site_spec import on_port
from mldeploy.providers.azure.webapp.sites import Place, Site
from mldeploy.providers.azure.webapp.skus import TIERS
from mldeploy.providers.base import Address, Instance, Release
from mldeploy.providers.errors import AbsentError

ASK_EVERY = 1.0
SERVE_SECONDS = 300.0
READY = "READY"
HEALTH = {READY: "healthy", "STOPPED": ""}


@dataclass(frozen=True)
class WebappService:
    """The app's site. Every method asks Azure anew."""

    cloud: WebappCloud
    project: Project
    settings: WebappSettings

    @property
    def app(self) -> str:
        return self.project.app.name

    @property
    def place(self) -> Place:
        return sites.place_of(self.cloud, self.cloud.site_key)

    def instances(self) -> tuple[Instance, ...]:
        with azure_errors(self.app):
            site = self._site()
            if site is None or not site.ours or site.is_stopped:
                return ()
            found = tuple(sites.instances(self.cloud, self.place))
            return tuple(
                Instance(_short(name), site.spec.image, state.lower(), HEALTH.get(state, "starting"), site.url, "")
                for name, state in found
            )

    def url(self) -> str | None:
        with azure_errors(self.app):
            site = self._site()
            return site.url if site and site.ours and not site.is_stopped else None

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        """Raises AbsentError if there is no site."""
        with azure_errors(self.app):
            self._known()
            yield from Log(self.cloud, self.place).follow(tail, on=follow)

    def stop(self) -> bool:
        with azure_errors(self.app):
            site = self._site()
            if site is None or not site.ours or site.is_stopped:
                return False
            self.cloud.web.web_apps.stop(self.place.group, self.place.site)
            return True

    def releases(self) -> tuple[Release, ...]:
        with azure_errors(self.app):
            site = self._site()
            if site is None or not site.ours:
                return ()
            serving = None if site.is_stopped else of_image(site.releases, site.spec.digest)
            return tuple(_release(site, each, serving) for each in site.releases)

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        """Bring an earlier image back. Raises AbsentError if there is none, VerdictError if it cannot serve."""
        with azure_errors(self.app):
            site = self._known()
            entry = self._chosen(revision, site)
            repository = site.spec.image.partition("@")[0]
            wanted = on_port(site.spec, f"{repository}@{entry.digest}", entry.port)
            rollout = Rollout(self.cloud, self.project, self.settings, self.place, monitor)
            now, gap = rollout.bring(site, wanted)
            image = Image(now.spec.image, entry.digest, "", 0, ())
            return Address(now.url, image, gap_seconds=None if self.settings.tier.slots else gap)

    def scale(self, count: int, monitor: Monitor) -> None:
        """Run on so many machines, and return once they are there and the app answers."""
        with azure_errors(self.app):
            site, key = self._known(), Key(tags.name(self.app, limit=40), (self.cloud.group,))
            now = plan.at(self.cloud, key)
            if now is None or not now.ours:
                raise RefusedError(self.app, "mldeploy did not make its App Service plan", "Scale it yourself.")
            self._check_scalable(count, now)
            if self.settings.instances not in (None, count):
                text = f"The next deployment sets it to {self.settings.instances}, as {TABLE}.instances says."
                monitor.note(text, warning=True)
            plan.write(self.cloud, monitor, key, plan.request(self.app, now.region, now.sku, count))
            self._wait(site, count, monitor)

    def _check_scalable(self, count: int, now: Plan) -> None:
        if autoscale.at(self.cloud, Key(tags.name(self.app), (self.cloud.group,))):
            todo = f"Change `min` and `max` in [{TABLE}], and deploy."
            raise RefusedError(self.app, "autoscaling decides how many instances run", todo)
        tier = TIERS.get(now.sku)
        if tier is not None and count > tier.most:
            todo = f"Choose a larger `sku` in [{TABLE}], and deploy."
            raise RefusedError(self.app, f"{now.sku} has {tier.most} instances at most", todo)

    def _wait(self, site: Site, count: int, monitor: Monitor) -> None:
        """A site that is stopped has no instances to wait for."""
        ready = 0
        for _ in monitor.attempts(every=ASK_EVERY, within=SERVE_SECONDS):
            ready = [state for _, state in sites.instances(self.cloud, self.place)].count(READY)
            monitor.progress(Progress("", "waiting until all instances are ready", ready, count))
            if site.is_stopped or (ready == count and self._answers(site)):
                return
        what = f"{ready} of {count} instances are ready after {SERVE_SECONDS:.0f} s"
        raise AzureError(str(self.place), what, "`mldeploy status` says what runs; App Service goes on.")

    def _answers(self, site: Site) -> bool:
        with AppClient(site.url, self.cloud.account.verify) as app:
            try:
                app.health(self.project.app.health)
            except AnswerError:
                return False
        return True

    def _chosen(self, revision: str | None, site: Site) -> Entry:
        if revision is None:
            return _before(self.app, site)
        for each in site.releases:
            if revision.lstrip("v") == str(each.number):
                return each
        known = ", ".join(str(each.number) for each in site.releases) or "none"
        raise AbsentError(self.app, f"there is no revision {revision}", f"There are: {known}.")

    def _site(self) -> Site | None:
        return sites.describe(self.cloud, self.place)

    def _known(self) -> Site:
        site = self._site()
        if site is None:
            what = f"nothing runs on App Service in the resource group {self.cloud.group}"
            raise AbsentError(self.app, what, "`mldeploy deploy --target webapp` brings it there.")
        if not site.ours:
            raise RefusedError(self.app, f"mldeploy did not make the site {self.place}", "Operate it yourself.")
        return site


def _short(name: str) -> str:
    """Azure calls a machine by 64 digits; a few tell it from the others."""
    return name if len(name) < 60 else name[:12]


def _release(site: Site, entry: Entry, serving: Entry | None) -> Release:
    image = f"{site.spec.image.partition('@')[0]}@{entry.digest}"
    is_serving = serving is not None and serving.number == entry.number and entry.state is State.SERVED
    state = "serving" if is_serving else "old" if entry.state is State.SERVED else "failed"
    return Release(str(entry.number), image, entry.created, state, site.url if is_serving else "")


def _before(app: str, site: Site) -> Entry:
    """The last release that served before this one.

    Raises AbsentError if there is none, and where a failed rollout was taken back already: whoever wants that undone
    does not want to lose one version more.
    """
    known, now = site.releases, of_image(site.releases, site.spec.digest)
    if known and now and known[0].state is not State.SERVED and now.state is State.SERVED and now != known[0]:
        what = f"the last deployment failed, and revision {now.number} serves again already"
        raise AbsentError(app, what, "Name a revision to go further back: `mldeploy history` lists them.")
    for each in known:
        if each.state is State.SERVED and (now is None or each.number < now.number):
            return each
    raise AbsentError(app, "there is no earlier release to go back to", "See `mldeploy history`.")
