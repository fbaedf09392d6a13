"""Bringing a version to a site: in place, or through the staging slot where the plan has one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from mldeploy.config.settings import Project
from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Progress
from mldeploy.core.monitor import Monitor
from mldeploy.image.client import GoldenRow
from mldeploy.image.running.errors import VerdictError
from mldeploy.providers.azure.errors import AzureError
from mldeploy.providers.azure.webapp import sites
from mldeploy.providers.azure.webapp.cloud import WebappCloud
from mldeploy.providers.azure.webapp.history import Entry, State, following, of_image, tagged
from mldeploy.providers.azure.webapp.settings import WebappSettings
from mldeploy.providers.azure.webapp.site_spec import SiteSpec, request
from mldeploy.providers.azure.webapp.sites import Place, Site
from mldeploy.providers.azure.webapp.start import Start
from mldeploy.providers.azure.webapp.swapping import swap
from mldeploy.providers.azure.webapp.tags import belonging
from mldeploy.providers.errors import NotRestoredError
from mldeploy.providers.gap import GapMeter

ASK_EVERY = 0.2
"""Seconds between two questions while a gap is measured: the app has others to answer, too."""

DRAIN_SECONDS = 5.0
"""So long the old version may need for the requests that it has: it gets no new ones."""


@dataclass(frozen=True)
class Rollout:
    """One version on its way to one site. golden: what it must answer; one that served before need not answer it."""

    cloud: WebappCloud
    project: Project
    settings: WebappSettings
    place: Place
    monitor: Monitor
    golden: GoldenRow | None = None

    def create(self, spec: SiteSpec, region: str) -> Site:
        """The first version. Raises VerdictError if it cannot serve; the site stays, and says why."""
        entry = following((), spec.digest, spec.port)
        start = self.starting(self.place, beside=False)
        self._write(self.place, spec, region, entry)
        return self._watched(start, entry)

    def bring(self, was: Site, spec: SiteSpec) -> tuple[Site, float]:
        """Another version. Returns the site, and for how many seconds its URL was silent.

        Raises VerdictError if the version cannot serve: the one before it goes on, or is put back.
        """
        if was.is_stopped or not was.serves:
            return self._in_place(was, spec)
        if was.spec.starts_like(spec):
            return self._adjusted(was, spec), 0.0
        return (self._through_slot(was, spec), 0.0) if self.settings.tier.slots else self._in_place(was, spec)

    def settle(self, was: Site) -> tuple[Site, float]:
        """See a version to its end that another command has begun: the site says already what it should.

        A slot answers before it is swapped, so whatever answers is what was brought. In place it might be the old one.
        """
        if not self.settings.tier.slots:
            return self._in_place(was, was.spec)
        start, entry = self.starting(self.place, beside=False), self._entry(was, was.spec)
        if start.asked(was.url) is not None:
            return self._in_place(was, was.spec)
        site = self._watched(start, entry)
        sites.remove_slot(self.cloud, self.place.staging)
        return site, 0.0

    def _adjusted(self, was: Site, spec: SiteSpec) -> Site:
        """What has to do with the site alone: no container is started anew."""
        start, entry = self.starting(self.place, beside=False), self._entry(was, spec)
        self._write(self.place, spec, was.region, entry, was)
        return self._watched(start, entry)

    def _in_place(self, was: Site, spec: SiteSpec) -> tuple[Site, float]:
        entry = self._entry(was, spec)
        start = self.starting(self.place, beside=not was.is_stopped)
        with GapMeter(was.url, self.project.app.health, self.cloud.account.verify, ASK_EVERY) as gap:
            self._write(self.place, spec, was.region, entry, was)
            self._renew(was, spec)
            try:
                site = self._watched(start, entry)
            except VerdictError as failure:
                self._put_back(was, entry, failure)
                raise
        return site, 0.0 if was.is_stopped else gap.seconds

    def _renew(self, was: Site, spec: SiteSpec) -> None:
        """App Service starts new containers for what they are made of; where that is the same, it is told to."""
        if was.is_stopped:
            sites.start(self.cloud, self.place)
        elif was.spec.starts_like(spec):
            sites.restart(self.cloud, self.place)

    def _through_slot(self, was: Site, spec: SiteSpec) -> Site:
        staging, entry = self.place.staging, self._entry(was, spec)
        sites.note(self.cloud, self.monitor, was, entry)
        sites.remove_slot(self.cloud, staging)
        with self._slot(staging), self._noted(entry):
            start = self.starting(staging, beside=False)
            self.monitor.progress(Progress("", "the new version starts in the staging slot"))
            self._write(staging, spec, was.region, None)
            start.watch(self._site(staging).url)
            swap(self.cloud, self.monitor, self.place, spec.image)
            try:
                self.starting(self.place, beside=False).watch(was.url)
            except VerdictError:
                swap(self.cloud, self.monitor, self.place, was.spec.image)
                raise
        return self._note(entry.become(State.SERVED))

    @contextmanager
    def _slot(self, staging: Place) -> Iterator[None]:
        """It goes in the end, with the one that is not let in, or with the old version once its requests have ended."""
        try:
            yield
            self.monitor.progress(Progress("", "the old version finishes its requests"))
            self.monitor.wait(DRAIN_SECONDS)
        finally:
            sites.remove_slot(self.cloud, staging)

    @contextmanager
    def _noted(self, entry: Entry) -> Iterator[None]:
        """A version that is not let in is known to have failed."""
        try:
            yield
        except VerdictError:
            self._note(entry.become(State.FAILED))
            raise

    def _watched(self, start: Start, entry: Entry) -> Site:
        site = self._site(self.place)
        try:
            start.watch(site.url)
        except VerdictError:
            self._note(entry.become(State.FAILED))
            raise
        return self._note(entry.become(State.SERVED))

    def _put_back(self, was: Site, entry: Entry, failure: VerdictError) -> None:
        """The version that served before. Raises NotRestoredError if it does not any more."""
        if not self.settings.rollback or was.is_stopped or not was.serves or was.spec.digest == entry.digest:
            return
        fails = f"the new version does not serve ({failure.cause})"
        self.monitor.note(f"{was.host}: {fails}; the one before it is put back", warning=True)
        start = replace(self, golden=None).starting(self.place, beside=False)
        try:
            wanted = request(was.spec, was.region, self._site(self.place).tags)
            sites.write(self.cloud, self.monitor, self.place, wanted)
            start.watch(was.url)
        except MldeployError as error:
            what = f"{fails}, and the one before it does not any more: {error.what}"
            raise NotRestoredError(str(self.place), what, "See `mldeploy logs --target webapp`.") from failure

    def _entry(self, was: Site, spec: SiteSpec) -> Entry:
        """A version that served before is brought back under its own number."""
        known = of_image(was.releases, spec.digest)
        if known is not None and known.state is State.SERVED and known.port == spec.port:
            return known
        return following(was.releases, spec.digest, spec.port)

    def _write(self, place: Place, spec: SiteSpec, region: str, entry: Entry | None, was: Site | None = None) -> None:
        releases = tagged(was.releases if was else (), entry) if entry else {}
        others = {**was.tags} if was else {}
        wanted = request(spec, region, {**others, **belonging(self.cloud.app), **releases})
        sites.write(self.cloud, self.monitor, place, wanted)

    def _note(self, entry: Entry) -> Site:
        site = self._site(self.place)
        if dict(site.tags).get(entry.tag) != entry.value:
            sites.note(self.cloud, self.monitor, site, entry)
        return replace(site, tags={**site.tags, entry.tag: entry.value})

    def starting(self, place: Place, *, beside: bool) -> Start:
        return Start(self.cloud, self.project, self.settings, place, self.monitor, self.golden, beside)

    def _site(self, place: Place) -> Site:
        there = sites.describe(self.cloud, place)
        if there is None:
            raise AzureError(str(place), "was there a moment ago, and is gone", "Run the command again.")
        return there
