"""A candidate in a slot beside the serving version, and the division of requests by the site's routing rule.

https://learn.microsoft.com/azure/app-service/deploy-staging-slots#route-traffic
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Outputs, Seen
from mldeploy.image.types import Image
from mldeploy.providers.azure.errors import azure_errors, translate_errors
from mldeploy.providers.azure.webapp import sites
from mldeploy.providers.azure.webapp.canary_slot import candidate_release, describe_canary
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.operations import describe_release
from mldeploy.providers.azure.webapp.rollout import SiteRollout
from mldeploy.providers.azure.webapp.settings import TABLE, WebappSettings
from mldeploy.providers.azure.webapp.site import SiteVersionStep
from mldeploy.providers.azure.webapp.site_spec import SiteSpec, compare_specs, keep_platform_settings
from mldeploy.providers.azure.webapp.sites import SiteInfo, SiteSlot, find_by_image
from mldeploy.providers.base import Address
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.header_proxy import run_header_proxy
from mldeploy.providers.traffic import Candidate, TrafficSplit

TO_PRODUCTION = (("Cookie", Secret("x-ms-routing-name=self", is_public=True)),)
"""What lets App Service answer from the site itself, whatever the rule says."""


@translate_errors
@dataclass(frozen=True, eq=False)
class CandidateSlot(SiteVersionStep[Candidate]):
    """The new version runs in the canary slot, and has answered there. It gets no requests yet."""

    kind: ClassVar[str] = "web-app-candidate"
    title: ClassVar[str] = "Start the candidate"
    journaled: ClassVar[bool] = False

    def probe(self, cloud: WebappCloud, outs: Outputs) -> Seen[Candidate] | None:
        """Raises AbsentError where nothing serves yet, RefusedError if only the settings differ."""
        site_slot = sites.resolve_slot(cloud, self.key())
        site = require_serving(cloud, site_slot)
        desired = keep_platform_settings(
            self.desired(cloud, outs, site.spec, self.stored_secrets(cloud, site.spec)), site.settings_by_name
        )
        if outs.get(self.image) is not None and site.spec.digest == desired.digest:
            self._check_unchanged(site.spec, desired)
            return Seen(_to_candidate(site, site))
        slot = describe_canary(cloud, site_slot)
        if slot is None or not slot.stands:
            return None
        differs = compare_specs(slot.spec, keep_platform_settings(desired, slot.settings_by_name))
        number = candidate_release(site, slot).number
        return Seen(_to_candidate(site, slot), (f"release {number} → a new candidate",) if differs else ())

    def apply(self, cloud: WebappCloud, outs: Outputs, seen: Seen[Candidate] | None, monitor: Monitor) -> Candidate:
        """Raises VerdictError if the version cannot serve. An earlier candidate is then gone."""
        self.check_platform(outs[self.image])
        rollout = self.rollout(cloud, monitor)
        site = require_serving(cloud, rollout.site_slot)
        stored = self.stored_secrets(cloud, site.spec, monitor)
        stored.allow(cloud, outs[self.identity], monitor)
        desired = self.desired(cloud, outs, site.spec, stored)
        rollout.place(site, keep_platform_settings(desired, site.settings_by_name))
        site, slot = require_serving(cloud, rollout.site_slot), describe_canary(cloud, rollout.site_slot)
        if slot is None:
            raise AbsentError(cloud.app, "the canary slot was removed meanwhile", "Run the command again.")
        return _to_candidate(site, slot)

    @staticmethod
    def undo(cloud: WebappCloud, key: Key, monitor: Monitor) -> bool:
        """Nothing to do: it is a slot of the site, and goes with it."""
        return False

    def _check_unchanged(self, serving: SiteSpec, desired: SiteSpec) -> None:
        """Raises RefusedError for other settings: on webapp a release is an image."""
        if not compare_specs(serving, desired):
            return
        what = "the image is the one that serves, and only its settings differ: webapp counts releases by image"
        raise RefusedError(self.project.app.name, what, "Deploy this change without a canary.")


def require_slots(settings: WebappSettings) -> None:
    """Raises ConfigError for a size without slots."""
    if not settings.tier.slots:
        what = f"a canary needs a deployment slot, and {settings.sku} has none"
        raise ConfigError(f"{TABLE}.sku", what, 'Set sku = "S1" or larger, and deploy once without a canary.')


@dataclass(frozen=True)
class SlotTraffic:
    """`mldeploy.providers.traffic.Traffic` of a site. All it knows is the rule, and the tags of site and slot."""

    cloud: WebappCloud
    project: Project
    settings: WebappSettings

    def split(self) -> TrafficSplit | None:
        """Ask nothing of a size without slots."""
        if not self.settings.tier.slots:
            return None
        with azure_errors(self.project.app.name):
            site, slot = self._look()
            if site is None or not site.ours or not site.serves or slot is None or not slot.stands:
                return None
            return _to_split(site, slot)

    def shift(self, percent: int, monitor: Monitor) -> TrafficSplit:
        with azure_errors(self.project.app.name):
            site, slot = self._standing()
            if site.percent != percent:
                sites.set_route(self.cloud, self._site_slot, slot, percent)
            return _to_split(*self._standing())

    def promote(self, monitor: Monitor) -> Address:
        """Swap site and slot. After a crash behind that, only the slot is left to be deleted."""
        with azure_errors(self.project.app.name):
            site, slot = self._look()
            if site is None or slot is None or not (slot.stands or _is_promoted(site, slot)):
                raise _no_candidate(self.project.app.name)
            spec = slot.spec if slot.stands else site.spec
            now = self._rollout(monitor).promote(site, spec)
            return Address(now.url, Image(now.spec.image, now.spec.digest, "", 0, ()))

    def abort(self, monitor: Monitor) -> bool:
        with azure_errors(self.project.app.name):
            site, slot = self._look()
            if site is None or slot is None:
                return False
            self._rollout(monitor).withdraw(site, slot if slot.stands else None)
            return slot.stands

    @contextmanager
    def reach(self, revision: str) -> Iterator[str]:
        """The slot has an address of its own. The site's leads to both, so that requests to it name the site."""
        with azure_errors(self.project.app.name):
            site, slot = self._look()
        if site and slot and slot.stands and str(candidate_release(site, slot).number) == revision:
            yield slot.url
            return
        serving = find_by_image(site.releases, site.spec.digest) if site is not None else None
        if site is None or serving is None or str(serving.number) != revision:
            raise AbsentError(self.project.app.name, f"release {revision} does not run", "See `mldeploy history`.")
        with run_header_proxy(site.url, self.cloud.account.verify, TO_PRODUCTION) as way:
            yield way

    @property
    def _site_slot(self) -> SiteSlot:
        return sites.resolve_slot(self.cloud, self.cloud.site_key)

    def _look(self) -> tuple[SiteInfo | None, SiteInfo | None]:
        site = sites.describe_site(self.cloud, self._site_slot)
        return site, describe_canary(self.cloud, self._site_slot) if site is not None else None

    def _standing(self) -> tuple[SiteInfo, SiteInfo]:
        site, slot = self._look()
        if site is None or slot is None or not slot.stands:
            raise _no_candidate(self.project.app.name)
        return site, slot

    def _rollout(self, monitor: Monitor) -> SiteRollout:
        return SiteRollout(self.cloud, self.project, self.settings, self._site_slot, monitor)


def require_serving(cloud: WebappCloud, site_slot: SiteSlot) -> SiteInfo:
    """Raises AbsentError where no version serves, RefusedError if the site belongs to others."""
    site = sites.describe_site(cloud, site_slot)
    if site is not None and not site.ours:
        raise RefusedError(cloud.app, f"mldeploy did not create the site {site_slot}", "Manage it in Azure.")
    if site is None or site.is_stopped or not site.serves:
        todo = "Run `mldeploy deploy --target webapp` first."
        raise AbsentError(cloud.app, "no version serves yet, so that there is none to stand beside", todo)
    return site


def _is_promoted(site: SiteInfo, slot: SiteInfo) -> bool:
    """Whether an interrupted command has swapped them."""
    return slot.tags.get(sites.EXAMINED, "") == site.spec.digest


def _no_candidate(name: str) -> AbsentError:
    return AbsentError(name, "there is no candidate", "Start one with `mldeploy deploy --canary 10`.")


def _to_candidate(site: SiteInfo, slot: SiteInfo) -> Candidate:
    release = describe_release(site, candidate_release(site, slot), slot)
    return Candidate(release, slot.url)


def _to_split(site: SiteInfo, slot: SiteInfo) -> TrafficSplit:
    stable = describe_release(site, candidate_release(site, site), slot)
    return TrafficSplit(stable, describe_release(site, candidate_release(site, slot), slot), site.percent)
