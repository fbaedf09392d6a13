"""The canary slot of a site: what stands in it, and which release that is."""

from __future__ import annotations

from mldeploy.core.errors import RefusedError
from mldeploy.providers.azure.webapp import sites
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.sites import SiteInfo, SiteRelease, SiteSlot, find_by_image, next_release


def describe_canary(cloud: WebappCloud, site_slot: SiteSlot) -> SiteInfo | None:
    """The canary slot; None if there is none of ours. Raises SDK errors."""
    slot = sites.describe_site(cloud, site_slot.canary)
    return slot if slot is not None and slot.ours else None


def candidate_release(site: SiteInfo, slot: SiteInfo) -> SiteRelease:
    """The release in the canary slot, as the site has recorded it."""
    spec = slot.spec
    return find_by_image(site.releases, spec.digest) or next_release(site.releases, spec.digest, spec.port)


def check_no_candidate(cloud: WebappCloud, site: SiteInfo, slot: SiteInfo | None) -> None:
    """Raises RefusedError while a canary stands."""
    if slot is not None and slot.stands:
        number = candidate_release(site, slot).number
        what = f"release {number} stands beside the serving one, with {site.percent:g} % of the requests"
        raise RefusedError(cloud.app, what, "Run `mldeploy canary promote` or `mldeploy canary abort` first.")
