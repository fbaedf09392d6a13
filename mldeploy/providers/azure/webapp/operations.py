"""Operate a deployed app on App Service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mldeploy.app.client import AnswerError, AppClient
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key
from mldeploy.image.types import Image
from mldeploy.providers.azure import tags
from mldeploy.providers.azure.errors import AzureError, azure_errors
from mldeploy.providers.azure.webapp import autoscale, plan, sites
from mldeploy.providers.azure.webapp.canary_slot import candidate_release, check_no_candidate, describe_canary
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.logs import SiteLogs
from mldeploy.providers.azure.webapp.plan import PlanInfo
from mldeploy.providers.azure.webapp.rollout import SiteRollout
from mldeploy.providers.azure.webapp.settings import TABLE, TIERS, WebappSettings
from mldeploy.providers.azure.webapp.site_spec import with_image
from mldeploy.providers.azure.webapp.sites import (
    SiteInfo,
    SiteRelease,
    SiteReleaseState,
    SiteSlot,
    find_by_image,
)
from mldeploy.providers.base import Address, Instance, Release
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.releases import choose_release

SCALE_POLL_SECONDS = 1.0
SCALE_TIMEOUT_SECONDS = 300.0
READY, UNKNOWN = "READY", "UNKNOWN"
STEADY_ANSWERS = 10
"""Healthy answers in succession that count where App Service does not report the state of an instance."""
HEALTH = {READY: "healthy", "STOPPED": ""}


@dataclass(frozen=True)
class WebappService:
    """The app's site. Every method reads the current state from Azure."""

    cloud: WebappCloud
    project: Project
    settings: WebappSettings

    @property
    def app(self) -> str:
        return self.project.app.name

    @property
    def site_slot(self) -> SiteSlot:
        return sites.resolve_slot(self.cloud, self.cloud.site_key)

    def instances(self) -> tuple[Instance, ...]:
        with azure_errors(self.app):
            site = self._site()
            if site is None or not site.ours or site.is_stopped:
                return ()
            instances = tuple(sites.list_instances(self.cloud, self.site_slot))
            return tuple(
                Instance(_short_name(name), site.spec.image, state.lower(), HEALTH.get(state, "starting"), site.url, "")
                for name, state in instances
            )

    def url(self) -> str | None:
        with azure_errors(self.app):
            site = self._site()
            return site.url if site and site.ours and not site.is_stopped else None

    def logs(self, *, follow: bool, tail: int) -> Iterator[str]:
        """Raises AbsentError if there is no site."""
        with azure_errors(self.app):
            self._require_site()
            yield from SiteLogs(self.cloud, self.site_slot).follow(tail, on=follow)

    def stop(self) -> bool:
        with azure_errors(self.app):
            site = self._site()
            if site is None or not site.ours or site.is_stopped:
                return False
            self.cloud.web.web_apps.stop(self.site_slot.group, self.site_slot.site)
            return True

    def releases(self) -> tuple[Release, ...]:
        with azure_errors(self.app):
            site = self._site()
            if site is None or not site.ours:
                return ()
            slot = describe_canary(self.cloud, self.site_slot) if self.settings.tier.slots else None
            return tuple(describe_release(site, each, slot) for each in site.releases)

    def rollback(self, revision: str | None, monitor: Monitor) -> Address:
        """Deploy an earlier image. Raises AbsentError if there is none, VerdictError if it cannot serve."""
        with azure_errors(self.app):
            site = self._require_site()
            self._check_no_candidate(site)
            entry = self._find_release(revision, site)
            repository = site.spec.image.partition("@")[0]
            spec = with_image(site.spec, f"{repository}@{entry.digest}", entry.port)
            rollout = SiteRollout(self.cloud, self.project, self.settings, self.site_slot, monitor)
            now, gap = rollout.deploy(site, spec)
            image = Image(now.spec.image, entry.digest, "", 0, ())
            return Address(now.url, image, gap_seconds=gap)

    def scale(self, count: int, monitor: Monitor) -> None:
        """Set the number of instances. Returns once they are ready and the app responds."""
        with azure_errors(self.app):
            site, key = self._require_site(), Key(tags.resource_name(self.app, limit=40), (self.cloud.group,))
            now = plan.get_plan(self.cloud, key)
            if now is None or not now.ours:
                raise RefusedError(self.app, "mldeploy did not create its App Service plan", "Scale the plan in Azure.")
            self._check_scalable(count, now)
            if self.settings.instances not in (None, count):
                text = f"The next deployment sets it back to {self.settings.instances} ({TABLE}.instances)."
                monitor.note(text, warning=True)
            plan.write_plan(self.cloud, monitor, key, plan.build_plan(self.app, now.region, now.sku, count))
            self._wait_until_scaled(site, count, monitor)

    def _check_no_candidate(self, site: SiteInfo) -> None:
        if self.settings.tier.slots:
            check_no_candidate(self.cloud, site, describe_canary(self.cloud, self.site_slot))

    def _check_scalable(self, count: int, now: PlanInfo) -> None:
        if autoscale.get_setting(self.cloud, Key(tags.resource_name(self.app), (self.cloud.group,))):
            todo = f"Change `min` and `max` in [{TABLE}], and deploy."
            raise RefusedError(self.app, "autoscaling controls the number of instances", todo)
        tier = TIERS.get(now.sku)
        if tier is not None and count > tier.most:
            todo = f"Choose a larger `sku` in [{TABLE}], and deploy."
            raise RefusedError(self.app, f"{now.sku} has {tier.most} instances at most", todo)

    def _wait_until_scaled(self, site: SiteInfo, count: int, monitor: Monitor) -> None:
        """Return at once if the site is stopped."""
        ready = steady = 0
        for _ in monitor.attempts(every=SCALE_POLL_SECONDS, within=SCALE_TIMEOUT_SECONDS):
            states = [state for _, state in sites.list_instances(self.cloud, self.site_slot)]
            ready = states.count(READY)
            monitor.progress(Progress("", "waiting until all instances are ready", ready, count))
            answers = not site.is_stopped and self._answers(site)
            if site.is_stopped or (ready == count and answers):
                return
            steady = steady + 1 if answers and ready + states.count(UNKNOWN) == count else 0
            if steady == STEADY_ANSWERS:
                monitor.note(f"App Service does not report the state of {count - ready} of {count} instances.")
                return
        what = f"{ready} of {count} instances are ready after {SCALE_TIMEOUT_SECONDS:.0f} s"
        raise AzureError(str(self.site_slot), what, "App Service continues. Check with `mldeploy status`.")

    def _answers(self, site: SiteInfo) -> bool:
        with AppClient(site.url, self.cloud.account.verify) as app:
            try:
                app.health(self.project.app.health)
            except AnswerError:
                return False
        return True

    def _find_release(self, revision: str | None, site: SiteInfo) -> SiteRelease:
        releases, current = site.releases, find_by_image(site.releases, site.spec.digest)
        rolled_back = current is not None and releases[0].failed and not current.failed and current != releases[0]
        number = current.number if current else None
        return choose_release(self.app, releases, revision, number, rolled_back=rolled_back)

    def _site(self) -> SiteInfo | None:
        return sites.describe_site(self.cloud, self.site_slot)

    def _require_site(self) -> SiteInfo:
        site = self._site()
        if site is None:
            what = f"is not deployed in the resource group {self.cloud.group}"
            raise AbsentError(self.app, what, "Run `mldeploy deploy --target webapp`.")
        if not site.ours:
            raise RefusedError(self.app, f"mldeploy did not create the site {self.site_slot}", "Manage it in Azure.")
        return site


def _short_name(name: str) -> str:
    """Shorten the 64-digit instance names of Azure."""
    return name if len(name) < 60 else name[:12]


def describe_release(site: SiteInfo, entry: SiteRelease, slot: SiteInfo | None) -> Release:
    """A release as `history` lists it. slot: the canary slot."""
    serving = None if site.is_stopped else find_by_image(site.releases, site.spec.digest)
    image = f"{site.spec.image.partition('@')[0]}@{entry.digest}"
    is_serving = serving is not None and serving.number == entry.number and entry.state is SiteReleaseState.SERVED
    if is_serving:
        state = "serving"
    elif slot is not None and slot.stands and candidate_release(site, slot).number == entry.number:
        state = "candidate"
    else:
        state = "old" if entry.state is SiteReleaseState.SERVED else "failed"
    return Release(str(entry.number), image, entry.created, state, site.url if is_serving else "")
