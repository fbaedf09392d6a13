"""Which site runs for which resource."""

from __future__ import annotations

from mldeploy.rehearsal.azure.arm.account import Resource
from mldeploy.rehearsal.azure.arm.plans import sites_on
from mldeploy.rehearsal.azure.sites.site import Site
from mldeploy.rehearsal.azure.sites.stage import Stage


class Sites:
    """All that there are. Whoever asks holds the account's lock."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._sites: dict[str, Site] = {}

    def __getitem__(self, resource: Resource) -> Site:
        """The one that runs for a site or a slot."""
        return self._sites[resource.id.lower()]

    def come(self, resource: Resource) -> None:
        """A new one, which goes with its resource."""
        site = self._sites[resource.id.lower()] = Site(self._stage, resource)
        resource.properties.update(state="Running", defaultHostName=site.host)

        def gone() -> None:
            self._sites.pop(resource.id.lower(), None)
            site.vanish()

        resource.removed = gone

    def plan_changed(self, plan: Resource) -> None:
        """Its sites go on with as many containers as it has machines now."""
        for each in sites_on(self._stage.account, plan):
            site = self[each]
            if len(site.workers) not in (0, plan.body["sku"]["capacity"]):
                site.renew()
