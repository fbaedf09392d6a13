"""Swapping a site with its staging slot: the one call that must not be done twice, since that would be back again."""

from __future__ import annotations

from functools import partial

from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.mgmt.web.models import CsmSlotEntity

from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.providers.azure.waiting import finish
from mldeploy.providers.azure.webapp import sites
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.sites import STAGING, Place

ATTEMPTS = 4
PAUSE_SECONDS = 1.0
DONE_SECONDS = 120.0
"""So long a swap whose answer was lost may take until it shows."""


def swap(cloud: WebappCloud, monitor: Monitor, place: Place, image: str) -> None:
    """Return once the site runs this image, which the slot runs now. Raises what the SDK raises.

    What was refused was not done, and is tried again where that may help. If no answer came, the site is asked.
    """
    monitor.progress(Progress("", "the two versions are swapped"))
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _swap_once(cloud, monitor, place)
            return
        except HttpResponseError as error:
            if _runs(cloud, place, image):
                return
            if attempt == ATTEMPTS or not _may_pass(error):
                raise
            monitor.wait(PAUSE_SECONDS)
        except (ServiceRequestError, ServiceResponseError):
            if not _comes(cloud, monitor, place, image):
                raise
            return


def _swap_once(cloud: WebappCloud, monitor: Monitor, place: Place) -> None:
    wanted = CsmSlotEntity(target_slot=STAGING, preserve_vnet=True)
    begin = partial(
        cloud.web.web_apps.begin_swap_slot_with_production,
        place.group,
        place.site,
        wanted,
        retry_total=0,
        retry_on_methods=frozenset({"GET"}),
    )
    finish(monitor, str(place), begin)


def _comes(cloud: WebappCloud, monitor: Monitor, place: Place, image: str) -> bool:
    """Whether the swap was done nevertheless."""
    return any(_runs(cloud, place, image) for _ in monitor.attempts(every=PAUSE_SECONDS, within=DONE_SECONDS))


def _runs(cloud: WebappCloud, place: Place, image: str) -> bool:
    site = sites.describe(cloud, place)
    return site is not None and site.spec.image == image


def _may_pass(error: HttpResponseError) -> bool:
    return (error.status_code or 0) == 429 or (error.status_code or 0) >= 500
