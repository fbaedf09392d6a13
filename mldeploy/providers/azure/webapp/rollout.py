"""Roll out a version to a site: directly, or through the staging slot if the plan has one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.mgmt.web.models import CsmSlotEntity

from mldeploy.app.client import GoldenRow
from mldeploy.app.verdict import VerdictError
from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.azure.errors import AzureError
from mldeploy.providers.azure.tags import webapp_tags
from mldeploy.providers.azure.waiting import is_temporary, run_operation
from mldeploy.providers.azure.webapp import sites
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.azure.webapp.site_spec import SiteSpec, build_site, compare_specs
from mldeploy.providers.azure.webapp.sites import (
    SiteInfo,
    SiteRelease,
    SiteReleaseState,
    SiteSlot,
    find_by_image,
    next_release,
    with_release,
)
from mldeploy.providers.azure.webapp.start import SiteStartup
from mldeploy.providers.errors import NotRestoredError
from mldeploy.providers.gap import GapMeter

GAP_POLL_SECONDS = 0.2
"""Seconds between two requests while downtime is measured."""

SITE_POLL_SECONDS, SITE_SECONDS = 0.5, 30.0
"""Time for a new site or slot to be found by all parts of Azure."""

DRAIN_SECONDS = 5.0
"""Time for the old version to finish its requests after the swap."""


@dataclass(frozen=True)
class SiteRollout:
    """The rollout of one version to one site. golden: the expected response; not checked for rollbacks."""

    cloud: WebappCloud
    project: Project
    settings: WebappSettings
    site_slot: SiteSlot
    monitor: Monitor
    golden: GoldenRow | None = None

    def create(self, spec: SiteSpec, region: str) -> SiteInfo:
        """Deploy the first version. Raises VerdictError if it cannot serve; the site is kept for its logs."""
        entry = next_release((), spec.digest, spec.port)
        start = self.watch_startup(self.site_slot, spec, beside=False)
        self._write(self.site_slot, spec, region, entry)
        return self._watch_until_served(start, entry)

    def deploy(self, was: SiteInfo, spec: SiteSpec) -> tuple[SiteInfo, float]:
        """Deploy another version. Returns the site and the downtime in seconds.

        Raises VerdictError if the version cannot serve: the previous version keeps serving or is restored.
        """
        if was.is_stopped or not was.serves:
            return self._deploy_in_place(was, spec)
        if was.spec.starts_like(spec):
            return self._update_settings(was, spec)
        return self._deploy_through_slot(was, spec) if self.settings.tier.slots else self._deploy_in_place(was, spec)

    def finish_rollout(self, was: SiteInfo) -> tuple[SiteInfo, float]:
        """Finish a rollout that an earlier command started: the site is already configured.

        With a slot, the version that responds is the new one. Without a slot, it may be the old one.
        """
        if not self.settings.tier.slots:
            return self._deploy_in_place(was, was.spec)
        start, entry = self.watch_startup(self.site_slot, was.spec, beside=False), self._release_entry(was, was.spec)
        if start.check_health(was.url) is not None:
            return self._deploy_in_place(was, was.spec)
        site = self._watch_until_served(start, entry)
        sites.delete_slot(self.cloud, self.site_slot.staging)
        return site, 0.0

    def _update_settings(self, was: SiteInfo, spec: SiteSpec) -> tuple[SiteInfo, float]:
        """Update settings that need no new container. Returns the measured downtime, too."""
        start, entry = self.watch_startup(self.site_slot, spec, beside=False), self._release_entry(was, spec)
        with self._gap_meter(was) as gap:
            self._write(self.site_slot, spec, was.region, entry, was)
            site = self._watch_until_served(start, entry)
        return site, gap.seconds

    def _deploy_in_place(self, was: SiteInfo, spec: SiteSpec) -> tuple[SiteInfo, float]:
        entry = self._release_entry(was, spec)
        start, began = self.watch_startup(self.site_slot, spec, beside=not was.is_stopped), time.monotonic()
        with self._gap_meter(was) as gap:
            self._write(self.site_slot, spec, was.region, entry, was)
            self._restart(was, spec)
            try:
                site = self._watch_until_served(start, entry)
            except VerdictError as failure:
                if self._can_restore(was, spec):
                    self._restore(was, entry, failure)
                    self.monitor.note(self._interruption(was, time.monotonic() - began), warning=True)
                raise
        return site, 0.0 if was.is_stopped else gap.seconds

    def _gap_meter(self, was: SiteInfo) -> GapMeter:
        return GapMeter(was.url, self.project.app.health, self.cloud.account.verify, GAP_POLL_SECONDS)

    def _restart(self, was: SiteInfo, spec: SiteSpec) -> None:
        """Start or restart the site where App Service does not do so by itself."""
        if was.is_stopped:
            sites.start_site(self.cloud, self.site_slot)
        elif was.spec.starts_like(spec):
            sites.restart_site(self.cloud, self.site_slot)

    def _deploy_through_slot(self, was: SiteInfo, spec: SiteSpec) -> tuple[SiteInfo, float]:
        staging, entry = self.site_slot.staging, self._release_entry(was, spec)
        sites.record_release(self.cloud, self.monitor, was, entry)
        sites.delete_slot(self.cloud, staging)
        with self._staging_slot(staging), self._recording_failure(was, entry):
            self._start_in_slot(staging, spec, was.region)
            self._swap(was, spec, staging)
        return self._settle(spec, entry)

    def place(self, was: SiteInfo, spec: SiteSpec) -> SiteRelease:
        """Start a version in the canary slot, and return once it has answered there. It gets no requests.

        An earlier candidate is replaced. Raises VerdictError; the slot is then deleted.
        """
        slot, entry = self.site_slot.canary, self._release_entry(was, spec)
        self.clear_route(was)
        sites.record_release(self.cloud, self.monitor, was, entry)
        sites.delete_slot(self.cloud, slot)
        try:
            with self._recording_failure(was, entry):
                self._start_in_slot(slot, spec, was.region)
        except VerdictError:
            sites.delete_slot(self.cloud, slot)
            raise
        sites.mark_examined(self.cloud, self.monitor, self._site(slot))
        return entry

    def promote(self, was: SiteInfo, spec: SiteSpec) -> SiteInfo:
        """Let the version in the canary slot serve, and delete the slot with the old one. Safe to repeat.

        spec: of the candidate; that of `was` if an interrupted command has swapped them already.
        """
        slot, entry = self.site_slot.canary, self._release_entry(was, spec)
        self.clear_route(was)  # the slot has the old version after the swap
        if not was.spec.is_version(spec):
            self._swap(was, spec, slot)
        site, _ = self._settle(spec, entry)
        self._drain()
        sites.delete_slot(self.cloud, slot)
        return site

    def withdraw(self, was: SiteInfo, candidate: SiteInfo | None) -> None:
        """Give the site all its requests, and delete the canary slot. Safe to repeat.

        candidate: that fails; None if none stands.
        """
        self.clear_route(was)
        if candidate is not None:
            self._record(self._release_entry(was, candidate.spec).with_state(SiteReleaseState.FAILED))
        sites.delete_slot(self.cloud, self.site_slot.canary)

    def clear_route(self, was: SiteInfo) -> None:
        """Give the canary slot no more requests."""
        if was.percent:
            sites.set_route(self.cloud, self.site_slot, None, 0)

    def _start_in_slot(self, slot: SiteSlot, spec: SiteSpec, region: str) -> None:
        start = self.watch_startup(slot, spec, beside=False)
        self.monitor.progress(Progress("", f"the new version starts in the {slot.slot} slot"))
        self._write(slot, spec, region, None)
        start.watch(self._site(slot).url)

    def _swap(self, was: SiteInfo, spec: SiteSpec, slot: SiteSlot) -> None:
        """Swap the site with a slot. Raises VerdictError after it was swapped back, if the URL then fails."""
        swap_slots(self.cloud, self.monitor, slot, spec)
        try:
            self.watch_startup(self.site_slot, spec, beside=False).watch(was.url)
        except VerdictError:
            swap_slots(self.cloud, self.monitor, slot, was.spec)
            raise

    def _settle(self, spec: SiteSpec, entry: SiteRelease) -> tuple[SiteInfo, float]:
        """Record that the version serves, with all of its settings. Returns the measured downtime, too.

        A swap leaves some where they are, for example Always On, HTTPS only and the minimum TLS version.
        """
        site = self._record(entry.with_state(SiteReleaseState.SERVED))
        return self._update_settings(site, spec) if compare_specs(site.spec, spec) else (site, 0.0)

    @contextmanager
    def _staging_slot(self, staging: SiteSlot) -> Iterator[None]:
        """Delete the slot in the end, after the old version has finished its requests."""
        try:
            yield
            self._drain()
        finally:
            sites.delete_slot(self.cloud, staging)

    def _drain(self) -> None:
        self.monitor.progress(Progress("", "the old version finishes its requests"))
        self.monitor.wait(DRAIN_SECONDS)

    @contextmanager
    def _recording_failure(self, was: SiteInfo, entry: SiteRelease) -> Iterator[None]:
        """Record the release as failed if it does not serve, unless its image keeps serving with other settings."""
        try:
            yield
        except VerdictError:
            if entry.digest != was.spec.digest:
                self._record(entry.with_state(SiteReleaseState.FAILED))
            raise

    def _watch_until_served(self, start: SiteStartup, entry: SiteRelease) -> SiteInfo:
        site = self._site(self.site_slot)
        try:
            start.watch(site.url)
        except VerdictError:
            self._record(entry.with_state(SiteReleaseState.FAILED))
            raise
        return self._record(entry.with_state(SiteReleaseState.SERVED))

    def _can_restore(self, was: SiteInfo, spec: SiteSpec) -> bool:
        """Whether there is a previous version that served, and it is to be restored."""
        return self.settings.rollback and was.serves and not was.is_stopped and bool(compare_specs(was.spec, spec))

    def _interruption(self, was: SiteInfo, seconds: float) -> str:
        gap = f"For up to {seconds:.0f} s, requests got no answer, or an answer of the failed version"
        return f"{was.host}: the previous version serves again. {gap}: {self.settings.sku} has no staging slot."

    def _restore(self, was: SiteInfo, entry: SiteRelease, failure: VerdictError) -> None:
        """Restore the previous version. Raises NotRestoredError if it does not serve either."""
        fails = f"the new version does not serve ({failure.cause})"
        self.monitor.note(f"{was.host}: {fails}; restoring the previous version", warning=True)
        try:
            model = build_site(was.spec, was.region, self._site(self.site_slot).tags)
            sites.write_site(self.cloud, self.monitor, self.site_slot, model)
            # Not before: the last lines of the failed version may be late, and would be held against this one.
            replace(self, golden=None).watch_startup(self.site_slot, was.spec, beside=False).watch(was.url)
            if entry.digest == was.spec.digest:  # the same image with other settings: it serves again
                self._record(entry.with_state(SiteReleaseState.SERVED))
        except MldeployError as error:
            what = f"{fails}, and the previous version could not be restored: {error.what}"
            raise NotRestoredError(str(self.site_slot), what, "See `mldeploy logs --target webapp`.") from failure

    def _release_entry(self, was: SiteInfo, spec: SiteSpec) -> SiteRelease:
        """A version that served before keeps its release number."""
        known = find_by_image(was.releases, spec.digest)
        if known is not None and known.state is SiteReleaseState.SERVED and known.port == spec.port:
            return known
        return next_release(was.releases, spec.digest, spec.port)

    def _write(
        self, site_slot: SiteSlot, spec: SiteSpec, region: str, entry: SiteRelease | None, was: SiteInfo | None = None
    ) -> None:
        tags = {**(was.tags if was else {}), **webapp_tags(self.cloud.app)}
        model = build_site(spec, region, with_release(tags, entry) if entry else tags)
        sites.write_site(self.cloud, self.monitor, site_slot, model)

    def _record(self, entry: SiteRelease) -> SiteInfo:
        site = self._site(self.site_slot)
        if dict(site.tags).get(entry.tag) != entry.value:
            sites.record_release(self.cloud, self.monitor, site, entry)
        return replace(site, tags={**site.tags, entry.tag: entry.value})

    def watch_startup(self, site_slot: SiteSlot, spec: SiteSpec, *, beside: bool) -> SiteStartup:
        stored = spec.references - self.settings.secrets.keys()
        return SiteStartup(
            self.cloud, self.project, self.settings, site_slot, self.monitor, self.golden, beside, stored
        )

    def _site(self, site_slot: SiteSlot) -> SiteInfo:
        """A site that exists. Azure may not know a new one at once."""
        for _ in self.monitor.attempts(every=SITE_POLL_SECONDS, within=SITE_SECONDS):
            existing = sites.describe_site(self.cloud, site_slot)
            if existing is not None:
                return existing
        raise AzureError(str(site_slot), "was deleted during the deployment", "Run the command again.")


SWAP_ATTEMPTS = 4
SWAP_PAUSE_SECONDS = 1.0
SWAP_DONE_SECONDS = 120.0
"""Time for a swap to complete after its response was lost."""


def swap_slots(cloud: WebappCloud, monitor: Monitor, slot: SiteSlot, spec: SiteSpec) -> None:
    """Swap the site with one of its slots. Returns once the site runs the slot's version. Raises SDK errors.

    A swap must not run twice, since that would undo it. Rejected requests are retried if the error is temporary;
    after a lost response the site is checked first.
    """
    monitor.progress(Progress("", "swapping the versions"))
    site_slot = slot.production
    for attempt in range(1, SWAP_ATTEMPTS + 1):
        try:
            _swap_once(cloud, monitor, slot)
            return
        except HttpResponseError as error:
            if _runs_version(cloud, site_slot, spec):
                return
            if attempt == SWAP_ATTEMPTS or not is_temporary(error):
                raise
            monitor.wait(SWAP_PAUSE_SECONDS)
        except (ServiceRequestError, ServiceResponseError):
            if not _wait_until_swapped(cloud, monitor, site_slot, spec):
                raise
            return


def _swap_once(cloud: WebappCloud, monitor: Monitor, slot: SiteSlot) -> None:
    model = CsmSlotEntity(target_slot=slot.slot, preserve_vnet=True)
    begin = partial(
        cloud.web.web_apps.begin_swap_slot_with_production,
        slot.group,
        slot.site,
        model,
        retry_total=0,
        retry_on_methods=frozenset({"GET"}),
    )
    run_operation(monitor, str(slot), begin)


def _wait_until_swapped(cloud: WebappCloud, monitor: Monitor, site_slot: SiteSlot, spec: SiteSpec) -> bool:
    """Whether the swap completed although its response was lost."""
    return any(
        _runs_version(cloud, site_slot, spec)
        for _ in monitor.attempts(every=SWAP_PAUSE_SECONDS, within=SWAP_DONE_SECONDS)
    )


def _runs_version(cloud: WebappCloud, site_slot: SiteSlot, spec: SiteSpec) -> bool:
    site = sites.describe_site(cloud, site_slot)
    return site is not None and site.spec.is_version(spec)
